"""What a T5X user's flags and macros become on our engine, and what it refuses."""

import re

import pytest

from unified_io.data import proposals
from unified_io.errors import ConfigError
from unified_io.train import mesh

RUN = "MODEL_DIR=run", "TRAIN_STEPS=1100"
OLD = "old/checkpoint_1000"


@pytest.fixture(scope="module")
def job(built):
    """Returns `job(*bindings)`: the training of the tiny job, from scratch, as a training job on one device."""
    return lambda *bindings: built("finetune", *RUN, "INITIAL_CHECKPOINT_PATH=None", *bindings).on(1)


MACROS = {
    "MODEL_DIR='there'": lambda job: job.model_dir == "there",
    "MIXTURE_OR_TASK_NAME='engine_plain'": lambda job: job.mixture == "engine_plain",
    "MIXTURE_OR_TASK_NAME_EVAL='engine_plain'": lambda job: (
        [*job.evaluations[0].tasks] == [*job.evaluations[1].tasks] == ["engine_plain"]
        and job.mixture == "engine_mixture"
    ),
    "TASK_FEATURE_LENGTHS={'text_inputs': 9}": lambda job: job.model.inputs[0].max_length == 9,
    "TASK_FEATURE_LENGTHS_TRAIN={'text_inputs': 9}": lambda job: (
        job.model.inputs[0].max_length == 9 and job.evaluations[0].model.inputs[0].max_length == 10
    ),
    "TASK_FEATURE_LENGTHS_EVAL={'text_inputs': 9}": lambda job: (
        job.model.inputs[0].max_length == 10
        and [job.evaluations[0].model.inputs[0].max_length, _writer(job).inputs[0].max_length] == [9, 9]
    ),
    "TRAIN_STEPS=12": lambda job: (job.first_step, job.total_steps) == (0, 12),
    "TRAIN_STEPS_RELATIVE=5": lambda job: (job.first_step, job.total_steps) == (0, 5),
    "BATCH_SIZE=6": lambda job: job.budgets == proposals.padded(job.model, rows=6),
    "DROPOUT_RATE=0.25": lambda job: job.model.backbone.dropout_rate == 0.25,
    "EVAL_STEPS=3": lambda job: (job.eval_examples, job.evaluations[0].batches) == (12, 3),
    "EVAL_PERIOD=7": lambda job: job.eval_period == 7,
    "RANDOM_SEED=5": lambda job: job.seed == 5,
    "RANDOM_SEED=None": lambda job: job.seed == 0,
    "Z_LOSS=0.5": lambda job: (job.z_loss, job.evaluations[0].z_loss) == (0.5, 0.5),
}
FLAGS = {
    "train.total_steps=9": lambda job: job.total_steps == 9,
    "train.eval_period=7": lambda job: job.eval_period == 7,
    "train.eval_steps=2": lambda job: job.evaluations[0].batches == 2,
    "train.stats_period=3": lambda job: job.report_period == 3,
    "train.random_seed=0": lambda job: job.seed == 0,
    "train.infer_eval_dataset_cfg=None": lambda job: len(job.evaluations) == 1,
    "train/utils.DatasetConfig.batch_size=2": lambda job: job.budgets.rows == 2,
    "train/DatasetConfig.batch_size=2": lambda job: job.budgets.rows == 2,
    "train_eval/utils.DatasetConfig.split='test'": lambda job: job.evaluations[0].dataset.split == "test",
    "infer_eval/utils.DatasetConfig.batch_size=2": lambda job: job.evaluations[1].dataset.batch_size == 2,
    "train/utils.DatasetConfig.pack=True": lambda job: (
        (job.budgets.rows, job.budgets.examples_per_row) == (4, None)
    ),
    "utils.SaveCheckpointConfig.period=11": lambda job: (job.checkpoint_period, job.keep_period) == (11, 1),
    "utils.SaveCheckpointConfig.keep=3": lambda job: (job.keep, job.keep_period) == (3, None),
    "trainer.Trainer.num_microbatches=2": lambda job: (job.microbatches, job.budgets.rows) == (2, 2),
    "utils.create_learning_rate_scheduler.base_learning_rate=0.5": lambda job: (
        (job.optimizer.learning_rate.base, job.optimizer.learning_rate.warmup_steps) == (0.5, 1)
    ),
    "utils.create_learning_rate_scheduler.factors='constant'": lambda job: (
        job.optimizer.learning_rate.factors == "constant"
    ),
    "partitioning.PjitPartitioner.num_partitions=1": lambda job: job.mesh == mesh.MeshConfig(-1, 1, 1),
}


def _writer(job):
    return job.evaluations[1].model.config


@pytest.mark.parametrize("binding", MACROS)
def test_macro(job, binding):
    assert MACROS[binding](job(binding))


@pytest.mark.parametrize("binding", FLAGS)
def test_command_line_name(job, binding):
    assert FLAGS[binding](job(binding))


@pytest.mark.parametrize(
    ("binding", "words"),
    [
        ("USE_CACHED_TASKS=True", "give --gin.USE_CACHED_TASKS=False"),
        ("SHUFFLE_TRAIN_EXAMPLES=False", "give --gin.SHUFFLE_TRAIN_EXAMPLES=True"),
        ("USE_HARDWARE_RNG=True", "give --gin.USE_HARDWARE_RNG=False"),
        ("LABEL_SMOOTHING=0.1", "give --gin.LABEL_SMOOTHING=0.0"),
        ("LOSS_NORMALIZING_FACTOR=50.0", "give --gin.LOSS_NORMALIZING_FACTOR=None"),
        ("train/utils.DatasetConfig.split='test'", "give --gin.train/utils.DatasetConfig.split=train"),
        ("utils.SaveCheckpointConfig.dtype='bfloat16'", "leave it at float32"),
        ("utils.SaveCheckpointConfig.save_dataset=False", "give True"),
        ("MIXTURE_OR_TASK_MODULE='data_tasks.mixtures'", "from data_tasks import mixtures"),
        ("OPTIMIZER=None", "OPTIMIZER has no value"),
        ("TRAIN_STEPS=None", "give --gin.TRAIN_STEPS=N"),
        ("BATCH_SIZE=5", None),
        ("train.eval_perod=3", "did you mean 'eval_period'"),
    ],
)
def test_what_our_engine_does_not_do_is_refused(built, binding, words):
    if words is None:
        assert built("pretrain", *RUN, binding).on(1).budgets.rows == 5
        words, act = (
            "BATCH_SIZE is 5, and a batch has 2 parts",
            lambda: built("pretrain", *RUN, binding).on(2),
        )
    else:
        act = lambda: built("pretrain", *RUN, binding)  # noqa: E731
    with pytest.raises(ConfigError, match=re.escape(words)):
        act()


@pytest.mark.parametrize("path", [OLD, f"{OLD}/"])
def test_steps_are_numbered_on_from_the_checkpoint_to_start_from(built, path):
    start = f"INITIAL_CHECKPOINT_PATH={path}"
    job = built("finetune", *RUN, start).on(1)
    assert (job.first_step, job.total_steps, dict(job.initial_params)) == (1000, 1100, {"": OLD})
    assert (job.model.backbone.dropout_rate, job.checkpoint_period) == (0.1, 5000)
    assert built("finetune", *RUN, start, "TRAIN_STEPS_RELATIVE=7").on(1).total_steps == 1007
    with pytest.raises(ConfigError, match=r"TRAIN_STEPS is 1000 .* give at least 1001"):
        built("finetune", *RUN, start, "TRAIN_STEPS=1000")


def test_the_newest_checkpoint_of_a_folder_may_be_asked_for(built, tmp_path):
    for step in (8, 900, 70):
        (tmp_path / f"checkpoint_{step}").mkdir()
    where = f"INITIAL_CHECKPOINT_PATH={tmp_path}", "utils.RestoreCheckpointConfig.mode='latest'"
    job = built("finetune", *RUN, *where).on(1)
    assert (job.first_step, dict(job.initial_params)) == (900, {"": str(tmp_path / "checkpoint_900")})


@pytest.mark.parametrize(
    ("bindings", "sizes", "rows"),
    [
        ((), (8, 1, 1), 1),
        (("partitioning.PjitPartitioner.num_partitions=2",), (4, 1, 2), 2),
        (
            ("PjitPartitioner.num_partitions=None", "PjitPartitioner.model_parallel_submesh=(1, 4, 1, 1)"),
            (2, 1, 4),
            4,
        ),
        (("standard_logical_axis_rules.parameter_partitioning_dims=2",), (1, 8, 1), 1),
    ],
    ids=["data", "num_partitions", "model_parallel_submesh", "parameter_partitioning_dims"],
)
def test_a_batch_is_that_of_all_devices_together(built, bindings, sizes, rows):
    job = built("pretrain", *RUN, "BATCH_SIZE=8", *bindings).on(8)
    assert tuple(mesh.sizes(job.mesh, 8).values()) == sizes
    assert job.budgets.rows == rows


@pytest.mark.parametrize(
    "bindings",
    [
        ("PjitPartitioner.model_parallel_submesh=(1, 2)",),
        ("PjitPartitioner.num_partitions=0",),
        ("standard_logical_axis_rules.activation_partitioning_dims=2",),
    ],
    ids=["both", "none", "activations"],
)
def test_a_mesh_that_makes_no_sense_is_refused(built, bindings):
    with pytest.raises(ConfigError, match="give"):
        built("pretrain", *RUN, *bindings)
