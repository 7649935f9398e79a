"""The run files for upstream T5X: gin reads them with T5X's own, and builds what the entry points are given."""

import functools
import importlib
import importlib.util
import sys
from pathlib import Path

import gin
import jax.numpy as jnp
import pytest
import seqio
from gin import config as gin_config

from unified_io.gin_edge.files import PACKAGED
from unified_io.t5x_compat.model import T5XModel

FILES = sorted(Path(PACKAGED, "t5x", "runs").glob("*.gin"))
STAND_IN = Path(__file__).parent / "upstream"
ENTRIES = {"pretrain": "train", "finetune": "train", "eval": "evaluate", "infer": "infer"}
MACROS = {
    "TASK_FEATURE_LENGTHS": {"text_inputs": 9, "text_targets": 5},
    "BATCH_SIZE": 3,
    "MODEL_DIR": "runs/m",
    "TRAIN_STEPS": 7,
    "EVAL_STEPS": 2,
    "EVAL_PERIOD": 4,
    "RANDOM_SEED": 5,
    "Z_LOSS": 0.5,
    "LABEL_SMOOTHING": 0.1,
    "LOSS_NORMALIZING_FACTOR": 7.0,
    "MIXTURE_OR_TASK_NAME_EVAL": "digits_sum",
    "TASK_FEATURE_LENGTHS_EVAL": {"text_targets": 3},
    "EVALUATOR_NUM_EXAMPLES": 11,
    "JSON_WRITE_N_RESULTS": 2,
    "DROPOUT_RATE": 0.25,
    "INITIAL_CHECKPOINT_PATH": "old/checkpoint_10",
    "CHECKPOINT_PATH": "old/checkpoint_10",
    "EVAL_OUTPUT_DIR": "runs/e",
    "INFER_OUTPUT_DIR": "runs/i",
}


@pytest.fixture
def given(monkeypatch):
    """Returns `given(run)`: what T5X's entry point gets of a run file with a model and a job."""
    if importlib.util.find_spec("t5x") is not None:
        pytest.skip("T5X is installed and has the name of the stand-in")
    monkeypatch.syspath_prepend(str(STAND_IN))
    monkeypatch.setattr(gin_config, "_LOCATION_PREFIXES", ["", f"{PACKAGED}/t5x/runs", PACKAGED])

    def read(run):
        entry = ENTRIES[run]
        gin.enter_interactive_mode()  # one name after the other stands for what is run
        module = importlib.import_module(f"t5x.{entry.removesuffix('uate')}")
        got = {}

        @functools.wraps(getattr(module, entry))
        def record(**kwargs):
            got.update(kwargs)

        record.__module__ = "__main__"
        monkeypatch.setattr(module, entry, record)
        monkeypatch.setitem(sys.modules, "__main__", module)
        gin.clear_config()
        files = ["model/tiny.gin", f"{run}.gin", f"{PACKAGED}/t5x/jobs/digits.gin"]
        called = gin.configurable(record)
        gin.parse_config_files_and_bindings(files, [f"{name} = {value!r}" for name, value in MACROS.items()])
        assert gin.markdown(gin.config_str())
        called()
        return got

    yield read
    gin.exit_interactive_mode()
    gin.clear_config()
    for name in [name for name in sys.modules if name.split(".")[0] == "t5x"]:
        del sys.modules[name]


def check_model(model):
    assert isinstance(model, T5XModel) and model.FEATURE_CONVERTER_CLS(pack=False)
    assert model.config.inputs[0].max_length == 9 and model.config.target("text").max_length == 5


def check_dataset(cfg, split, task="digits_image_to_text", lengths=MACROS["TASK_FEATURE_LENGTHS"]):
    assert seqio.get_mixture_or_task(cfg.mixture_or_task_name).name.startswith(f"{task}.")
    assert cfg.task_feature_lengths == lengths
    assert (cfg.split, cfg.batch_size, cfg.pack, cfg.use_cached) == (split, 3, False, False)


@pytest.mark.parametrize("run", ["pretrain", "finetune"])
def test_what_training_is_given(run, given):
    got = given(run)
    check_model(got["model"])
    assert got["model"].z_loss == 0.5 and got["model"].optimizer.name == "adamw"
    assert (got["model"].label_smoothing, got["model"].loss_normalizing_factor) == (0.1, 7.0)
    assert got["model"].optimizer_def is got["model"].optimizer_def
    assert got["model"].config.backbone.dropout_rate == 0.25
    trained = {"is_training": True, **MACROS["TASK_FEATURE_LENGTHS"]}
    check_dataset(got["train_dataset_cfg"], "train", lengths=trained)
    other = ("validation", "digits_sum", {"text_targets": 3})
    check_dataset(got["train_eval_dataset_cfg"], *other)
    assert got["train_dataset_cfg"].seed == got["random_seed"] == 5 and got["train_dataset_cfg"].shuffle
    assert (got["model_dir"], got["total_steps"], got["eval_steps"], got["eval_period"]) == (
        "runs/m",
        7,
        2,
        4,
    )
    assert got["verify_matching_vocabs_fn"] is None
    assert dict(got["partitioner"].rules)["image_patch"] == "model"
    restore = got["checkpoint_cfg"].restore
    assert restore.path == ("old/checkpoint_10" if run == "finetune" else [])
    if run == "finetune":
        check_dataset(got["infer_eval_dataset_cfg"], *other)
        assert gin.query_parameter("seqio.Evaluator.target_field_name") == "text_targets"
    rate = gin.query_parameter("trainer.Trainer.learning_rate_fn").scoped_configurable_fn()
    assert [float(rate(jnp.int32(step))) for step in (5, 10, 20)] == pytest.approx([5e-4, 1e-3, 1e-3])


def test_what_evaluation_is_given(given):
    got = given("eval")
    check_model(got["model"])
    check_dataset(got["dataset_cfg"], "test")
    assert got["output_dir"] == "runs/e" and got["restore_checkpoint_cfg"].path == "old/checkpoint_10"
    for parameter, value in {
        "seqio.Evaluator.num_examples": 11,
        "seqio.JSONLogger.write_n_results": 2,
    }.items():
        assert gin.query_parameter(parameter).scoped_configurable_fn() == value
    assert gin.query_parameter("seqio.Evaluator.target_field_name") == "text_targets"


def test_what_inference_is_given(given):
    got = given("infer")
    check_model(got["model"])
    check_dataset(got["dataset_cfg"], "test")
    task = seqio.get_mixture_or_task(got["dataset_cfg"].mixture_or_task_name)
    assert got["output_vocab_feature_name"] in task.output_features
    assert got["verify_matching_vocabs_fn"] is None and got["checkpoint_ds_iter"] is False
    assert got["restore_checkpoint_cfg"].dtype == "float32" and got["output_dir"] == "runs/i"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_run_file_includes_that_of_t5x_of_its_name(path):
    assert f'include "t5x/configs/runs/{path.name}"' in path.read_text().splitlines()
    assert path.stem in ENTRIES and len(FILES) == len(ENTRIES)
