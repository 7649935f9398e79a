"""The list of what a T5X user has in the fingers, on our engine: MODEL_DIR, restarts, steps that go on, other verbs."""

import json

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
import seqio
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from tests.t5x_compat.tiny_job import MEASURED, PLAIN
from unified_io import checkpoint, cli, pytree


def events(folder):
    """What was written to TensorBoard: (step, name, value)."""
    found = [
        event for path in sorted(folder.glob("events.*")) for event in LegacyEventFileLoader(str(path)).Load()
    ]
    return [(e.step, v.tag, v.simple_value) for e in found for v in e.summary.value]


def reports(model_dir):
    return [json.loads(line) for line in (model_dir / "train.jsonl").read_text().splitlines()]


def params(model_dir, step):
    found, _ = checkpoint.load_params(model_dir / f"checkpoint_{step}")
    return {name: np.asarray(leaf) for name, leaf in pytree.named_leaves(found).items()}


LEFT = {
    "config.gin": lambda path: "TRAIN_STEPS = 3" in path.read_text(),
    "model-info.txt": lambda path: (
        path.read_text().splitlines()[-1].startswith("Total number of parameters: ")
    ),
    "checkpoint_0/state": lambda path: path.is_dir(),
    "checkpoint_2/state": lambda path: path.is_dir(),
    "checkpoint_3/state": lambda path: path.is_dir(),
    "train": lambda path: "loss" in {name for _, name, _ in events(path)},
    "train.jsonl": lambda path: path.is_file(),
    f"training_eval/{MEASURED}": lambda path: {(2, "loss"), (3, "loss")} <= {e[:2] for e in events(path)},
    f"training_eval/{PLAIN}": lambda path: {(2, "loss"), (3, "loss")} <= {e[:2] for e in events(path)},
}
TUNED = {
    f"inference_eval/{MEASURED}": lambda path: any(path.glob("events.*")),
    f"inference_eval/{MEASURED}-metrics.jsonl": lambda path: (
        [json.loads(line)["step"] for line in path.read_text().splitlines()] == [4, 5]
    ),
    f"inference_eval/{MEASURED}-000004.jsonl": lambda path: len(path.read_text().splitlines()) == 2,
    f"inference_eval/{MEASURED}-000005.jsonl": lambda path: len(path.read_text().splitlines()) == 2,
    f"inference_eval/{PLAIN}-metrics.jsonl": lambda path: "exact_match" in path.read_text(),
}


@pytest.mark.parametrize("name", LEFT)
def test_model_dir_holds(trained, name):
    assert LEFT[name](trained / name)


def test_checkpoints_have_the_names_of_t5x(trained):
    """And so its parameters are read by what reads T5X's."""
    saved = ocp.PyTreeCheckpointer().metadata(trained / "checkpoint_3" / "state").item_metadata.tree
    assert set(saved) == {"target", "state"} and {"step", "param_states"} <= set(saved["state"])


def test_losses_of_tasks_stand_in_our_own_report_too(trained):
    [last] = [line for line in reports(trained) if line["step"] == 3 and f"eval/{PLAIN}/loss" in line]
    shown = {name: value for step, name, value in events(trained / "training_eval" / PLAIN) if step == 3}
    assert last[f"eval/{PLAIN}/loss"] == pytest.approx(shown["loss"], rel=1e-6)


@pytest.fixture(scope="module")
def tuned(t5x, trained, tmp_path_factory):
    """Fine-tuned from step 3 to step 5, at once and in two goes; what was said each time."""
    folder = tmp_path_factory.mktemp("tuned")

    def tune(name, *flags):
        return t5x(
            "train",
            "finetune",
            f"--gin.MODEL_DIR={folder / name}",
            f"--gin.INITIAL_CHECKPOINT_PATH={trained}/checkpoint_3",
            "--gin.train.train_eval_dataset_cfg=None",
            "--gin.train.eval_period=4",
            "--gin.EVALUATOR_NUM_EXAMPLES=3",
            "--gin.JSON_WRITE_N_RESULTS=2",
            "--gin.utils.SaveCheckpointConfig.keep=2",
            *flags,
        )

    last, blind = "--gin.TRAIN_STEPS=5", "--gin.train.infer_eval_dataset_cfg=None"
    said = tune("at_once", last), tune("in_two", blind, "--gin.TRAIN_STEPS_RELATIVE=1")
    return folder, (*said, tune("in_two", blind, last))


@pytest.mark.parametrize("name", TUNED)
def test_model_dir_of_a_fine_tuned_model_holds(tuned, name):
    folder, _ = tuned
    assert TUNED[name](folder / "at_once" / name)


def test_fine_tuning_goes_on_from_the_checkpoint(tuned, trained):
    folder, _ = tuned
    steps = {path.name for path in (folder / "at_once").glob("checkpoint_*")}
    assert steps == {"checkpoint_3", "checkpoint_5"}
    start = params(trained, 3)
    jax.tree.map(np.testing.assert_array_equal, params(folder / "at_once", 3), start)
    changed = params(folder / "at_once", 5)
    assert any((changed[name] != leaf).any() for name, leaf in start.items())


def test_the_learning_rate_goes_on(tuned):
    folder, _ = tuned
    [rate] = [line["learning_rate"] for line in reports(folder / "at_once") if "learning_rate" in line]
    # That of the last update, before which four were made, three of them by the run it started from.
    assert rate == pytest.approx(0.01 / np.sqrt(4), rel=1e-5)


def test_the_same_command_with_more_steps_goes_on_to_the_same_end(tuned):
    folder, said = tuned
    assert "loaded" in said[1] and "loaded" not in said[2], "what it starts from is read once"
    whole, parts = (params(folder / name, 5) for name in ("at_once", "in_two"))
    jax.tree.map(np.testing.assert_array_equal, parts, whole)


def test_the_same_command_on_a_finished_run_changes_nothing(t5x, tuned):
    folder, _ = tuned
    before = (folder / "at_once" / "train.jsonl").read_bytes()
    flags = f"--gin.MODEL_DIR={folder / 'at_once'}", "--gin.INITIAL_CHECKPOINT_PATH=gone/checkpoint_3"
    t5x("train", "finetune", *flags, "--gin.TRAIN_STEPS=5")
    assert (folder / "at_once" / "train.jsonl").read_bytes() == before


def test_the_losses_of_a_trained_model_are_printed(t5x, trained):
    said = t5x("eval", "pretrain", f"--gin.MODEL_DIR={trained}", "--gin.TRAIN_STEPS=3")
    assert "text/loss" in said


@pytest.mark.parametrize("verb", ["plan", "data report"])
def test_commands_about_a_job_know_a_t5x_job(search_paths, tmp_path, capsys, verb):
    files = [f"--gin_file={name}.gin" for name in ("tiny_model", "pretrain", "tiny_job")]
    paths = f"--gin_search_paths={','.join(search_paths)}"
    flags = [paths, *files, f"--gin.MODEL_DIR={tmp_path}", "--gin.TRAIN_STEPS=3", "--json", "--examples=16"]
    own = {"plan": ["--machine=tpu-v4", "--devices=4"], "data report": [PLAIN]}
    assert cli.main([*verb.split(), *own[verb], *flags]) == cli.OK
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    if verb == "plan":
        assert found["examples_per_step"] == 4 and found["mesh"] == {"data": 4, "fsdp": 1, "model": 1}
    else:
        assert found["mixture"] == PLAIN


@pytest.mark.parametrize("verb", ["train", "eval", "infer"])
def test_where_data_lies_is_told_to_seqio(t5x, tmp_path, monkeypatch, verb):
    monkeypatch.setattr(seqio.utils, "_GLOBAL_CACHE_DIRECTORIES", known := [])
    monkeypatch.setattr(seqio.utils, "_TFDS_DATA_DIR_OVERRIDE", None)
    cached, prepared = tmp_path / "cached", tmp_path / "prepared"
    cached.mkdir()
    flags = f"--seqio_additional_cache_dirs={cached}", f"--tfds_data_dir={prepared}"
    run = "pretrain" if verb == "train" else verb
    assert f"there is no folder '{prepared}'" in t5x(verb, run, *flags, code=cli.WRONG_INPUT)
    prepared.mkdir()
    t5x(verb, run, *flags, code=cli.WRONG_INPUT)  # for want of a MODEL_DIR, or a checkpoint
    assert (known, seqio.utils._TFDS_DATA_DIR_OVERRIDE) == ([str(cached)], str(prepared))
