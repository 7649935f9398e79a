"""A job in stages says what can not work before its first stage begins."""

import pytest

from data_tasks.media_encoders import MediaEncoders
from data_tasks.media_tokenizers import MediaTokenizers
from data_tasks.staged_job import StagedJob
from tests.tiny import tiny_config
from unified_io.data.budgets import Budgets
from unified_io.errors import ConfigError
from unified_io.train.encoder_job import EncoderJob
from unified_io.train.job import TrainJob
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.tokenizer_job import TokenizerJob


@pytest.mark.parametrize(
    "stages, words",
    [
        (
            {"encoders": MediaEncoders({"image": EncoderJob(total_steps=1)})},
            "encoder of image learns from nothing",
        ),
        (
            {"tokenizers": MediaTokenizers({"image": TokenizerJob(total_steps=1)}, {})},
            "tokenizer of image learns",
        ),
    ],
)
def test_what_has_nothing_to_learn_from_is_said_first(stages, words, tmp_path):
    budgets = Budgets(1, 8, 8, {}, {})
    training = TrainJob(str(tmp_path), tiny_config(), "nowhere", budgets, OptimizerConfig(), 1)
    with pytest.raises(ConfigError, match=words):
        StagedJob(training, **{"tokenizers": MediaTokenizers({}, {}), **stages}).check()
