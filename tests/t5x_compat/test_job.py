"""What T5X's macros mean to our engine, and what it refuses."""

import dataclasses
import re

import pytest
from tiny import tiny_config

from unified_io.data import proposals
from unified_io.errors import ConfigError
from unified_io.gin_edge import session
from unified_io.gin_edge.files import PACKAGED
from unified_io.t5x_compat.job import T5XJob
from unified_io.train.job import TrainJob
from unified_io.train.optimizer import OptimizerConfig

CONFIG = tiny_config()
TRAINING = TrainJob("run", CONFIG, "none", proposals.padded(CONFIG, 8), OptimizerConfig(), 1100)


def test_the_macros_become_a_training_job():
    job = T5XJob(TRAINING, batch_size=8, eval_steps=3, random_seed=7).job
    assert (job.total_steps, job.seed, job.eval_examples, dict(job.initial_params)) == (1100, 7, 24, {})
    assert T5XJob(TRAINING, batch_size=8).job.seed == 0


@pytest.mark.parametrize("path", ["old/checkpoint_1000", "old/checkpoint_1000/"])
def test_total_steps_count_those_of_the_checkpoint_to_start_from(path):
    job = T5XJob(TRAINING, batch_size=8, initial_checkpoint_path=path).job
    assert job.total_steps == 100 and dict(job.initial_params) == {"": "old/checkpoint_1000"}
    with pytest.raises(ConfigError, match="TRAIN_STEPS is 1000 .* give at least 1001"):
        fewer = dataclasses.replace(TRAINING, total_steps=1000)
        T5XJob(fewer, batch_size=8, initial_checkpoint_path=path).check()


@pytest.mark.parametrize(
    ("macro", "value", "flag"),
    [
        ("use_cached_tasks", True, "--gin.USE_CACHED_TASKS=False"),
        ("shuffle_train_examples", False, "--gin.SHUFFLE_TRAIN_EXAMPLES=True"),
        ("use_hardware_rng", True, "--gin.USE_HARDWARE_RNG=False"),
    ],
)
def test_what_our_engine_does_not_do_is_refused(macro, value, flag):
    with pytest.raises(ConfigError, match=re.escape(f"give {flag}")):
        T5XJob(TRAINING, batch_size=8, **{macro: value}).check()


@pytest.mark.parametrize("run", ["pretrain", "finetune"])
def test_the_run_files_read_every_macro(run, tmp_path):
    from unified_io import cli

    flags = {
        "MODEL_DIR": repr(str(tmp_path)),
        "TRAIN_STEPS": "12",
        "BATCH_SIZE": "3",
        "EVAL_STEPS": "2",
        "EVAL_PERIOD": "4",
        "RANDOM_SEED": "5",
        "DROPOUT_RATE": "0.25",
        "INITIAL_CHECKPOINT_PATH": "'old/checkpoint_10'",
        "Z_LOSS": "0.5",
        "TASK_FEATURE_LENGTHS": "{'text_inputs': 9}",
        "MIXTURE_OR_TASK_NAME": "'digits_sum'",
        "USE_CACHED_TASKS": "False",
        "SHUFFLE_TRAIN_EXAMPLES": "True",
        "USE_HARDWARE_RNG": "False",
    }
    reading = session.parse(
        ["model/tiny.gin", f"{run}.gin", f"{PACKAGED}/t5x/jobs/digits.gin"],
        [f"{name}={value}" for name, value in flags.items()],
        [f"{PACKAGED}/t5x/engine"],
    )
    job = session.build(reading, cli.run).job
    assert (job.model_dir, job.total_steps, job.seed, job.mixture) == (str(tmp_path), 2, 5, "digits_sum")
    assert (job.eval_examples, job.eval_period, job.z_loss) == (6, 4, 0.5)
    assert job.model.backbone.dropout_rate == 0.25 and job.model.inputs[0].max_length == 9
    assert job.budgets == proposals.padded(job.model, rows=3)
    assert dict(job.initial_params) == {"": "old/checkpoint_10"}
