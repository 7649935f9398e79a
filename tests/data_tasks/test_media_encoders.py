"""Encoders that are trained before a model, and handed on to it."""

import dataclasses

import numpy as np
import pytest

from data_tasks.media_encoders import MediaEncoders
from data_tasks.toy.seen_patches import SeenPatches
from tests.tiny import tiny_config
from unified_io import checkpoint
from unified_io.errors import ConfigError
from unified_io.train import start
from unified_io.train.encoder_job import EncoderJob

CONFIG = tiny_config()


def test_an_encoder_is_trained_once_and_its_model_begins_with_it(tmp_path):
    encoders = MediaEncoders({"image": EncoderJob(total_steps=1, batch_size=2)}, {"image": SeenPatches()}, 4)
    encoders.train(tmp_path, CONFIG)
    ((prefix, folder),) = encoders.params_in(tmp_path).items()
    kept = checkpoint.load_params(folder)[0]
    given = start.parameters(CONFIG, {prefix: folder})
    assert given and all(name.startswith("shared_image_encoder/") for name in given)
    np.testing.assert_array_equal(given[f"{prefix}embedding/kernel"], kept["embedding"]["kernel"])
    # What is there is left alone: these labels could not be made.
    dataclasses.replace(encoders, labels={"image": None}).train(tmp_path, CONFIG)


def test_what_can_not_be_trained_is_said(tmp_path):
    jobs = {"image": EncoderJob(total_steps=1)}
    with pytest.raises(ConfigError, match="learns from nothing"):
        MediaEncoders(jobs).train(tmp_path, CONFIG)
    with pytest.raises(ConfigError, match="imag"):
        MediaEncoders({"imag": jobs["image"]}, {"imag": SeenPatches()}).train(tmp_path, CONFIG)
