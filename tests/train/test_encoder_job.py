"""Training of an encoder alone, on labelled patches."""

import dataclasses
import json

import numpy as np
import pytest

from unified_io import checkpoint
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.encoders.labels import Labelled, LabelledEncoder
from unified_io.encoders.vit import Vit, VitConfig
from unified_io.train.encoder_job import EncoderJob
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig

RATE = ScheduleConfig("constant", 3e-3)
JOB = EncoderJob(
    total_steps=6,
    batch_size=8,
    optimizer=OptimizerConfig("adamw", RATE),
    report_period=2,
    checkpoint_period=2,
)
NETWORK = LabelledEncoder(
    Vit(VitConfig(width=16, num_heads=2, num_layers=2, mlp_dim=24, grid=(2, 2))), (2, 2), 3, 2
)


@pytest.fixture(scope="module")
def media():
    """Patches whose label is which of three things they show, and how bright they are, in a unit of its own."""
    rng = np.random.default_rng(0)
    kinds, things = rng.integers(3, size=(64, 4)), rng.normal(size=(3, 12))
    bright = rng.uniform(0.5, 2.0, size=(64, 4, 1))
    numbers = np.concatenate([1000 * bright, np.full_like(bright, np.nan)], axis=2)
    return Labelled(
        things[kinds] * bright, np.ones((64, 4), bool), np.eye(3, dtype=bool)[kinds], numbers
    ).halved


def test_it_learns_what_the_labels_say_and_keeps_the_encoder_alone(media, tmp_path):
    job = dataclasses.replace(JOB, total_steps=300, report_period=50, checkpoint_period=300)
    folder = job.train(NETWORK, media, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / f"{tmp_path.name}.jsonl").read_text().splitlines()]
    last = [line for line in lines if "words_found" in line][-1]
    assert last["words_found"] > 0.95 and last["words_true"] > 0.95 and last["numbers_explained"] > 0.8
    params, _ = checkpoint.load_params(folder)
    assert "embedding" in params and "Transformer_0" in params and "head" not in params


def test_a_resumed_run_is_the_same_run(media, tmp_path):
    whole = JOB.train(NETWORK, media, tmp_path / "whole")
    dataclasses.replace(JOB, total_steps=4).train(NETWORK, media, tmp_path / "parts")
    (tmp_path / "parts" / PARAMS_FOLDER).rename(tmp_path / "early")
    parts = JOB.train(NETWORK, media, tmp_path / "parts")
    np.testing.assert_equal(checkpoint.load_params(whole)[0], checkpoint.load_params(parts)[0])
