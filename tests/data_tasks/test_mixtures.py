"""Mixtures: their table of rates, equal specs, and raw digits turned into packed batches of a real configuration."""

from collections import Counter

import numpy as np
import pytest
import seqio

from data_tasks import mixtures
from data_tasks.digits.source import DigitsSource
from tests.data_tasks.fakes import small_stock
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.loader import Loader
from unified_io.modalities.action import ActionInput, ActionTarget
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.tokenizers.vit_vqgan import ViTVQGANConfig
from unified_io.tokenizers.vqgan import VQGANConfig

MEL = DigitsSource().mel
INPUTS = (TextInput(), ImageInput(patch=8, resolution=32), AudioInput(patch=8, mel=MEL), ActionInput())
TARGETS = (
    TextTarget(),
    ImageTarget(vqgan=VQGANConfig(resolution=16, channel_multipliers=(1, 2, 2))),
    AudioTarget(mel=MEL, vit_vqgan=ViTVQGANConfig(frames=MEL.frames, mels=MEL.mels, patch=8)),
    ActionTarget(),
)


@pytest.fixture(scope="module")
def bound():
    with small_stock():
        yield pipeline.bind("digits_any_to_any", INPUTS, TARGETS, source=DigitsSource())


def test_the_table_adds_up():
    assert sum(mixtures.DIGITS_PAIRS.values()) == pytest.approx(74)
    assert sum(mixtures.DIGITS_DENOISE.values()) == pytest.approx(8.5)
    assert sum(mixtures.DIGITS_COMPOSITES.values()) == pytest.approx(17.5)
    whole = seqio.MixtureRegistry.get("digits_any_to_any")
    assert len(whole.tasks) == 22 and whole.total_rate == pytest.approx(100)
    assert len(seqio.MixtureRegistry.get("digits_pairs").tasks) == 12


def test_every_task_gives_the_same_fields_and_a_target(bound):
    stream = pipeline.examples(bound, "train", seed=0, shuffle=True, repeat=True)
    drawn = [next(stream) for _ in range(500)]
    assert len({tuple((k, np.asarray(v).dtype.kind) for k, v in sorted(x.items())) for x in drawn}) == 1
    assert all(any(len(x[f"{m.name}_targets"]) for m in TARGETS) for x in drawn)
    seen = Counter(x["meta/task"] for x in drawn)
    for name, rate in mixtures.MIXTURES["digits_any_to_any"].items():
        expected = rate / 100 * len(drawn)
        assert abs(seen[name] - expected) < 5 * np.sqrt(expected), name


def test_digits_become_packed_batches(bound):
    budgets = Budgets(
        8,
        96,
        64,
        {"text": 260, "image": 20, "audio": 14, "action": 260},
        {"text": 80, "image": 14, "audio": 11, "action": 280},
    )
    loader = Loader(bound, INPUTS, TARGETS, budgets, seed=3)
    stream = loader.batches()
    batch = next(stream)
    stream.close()
    assert loader.quarantine == []
    assert batch["inputs"]["image"]["patches"].shape == (1, 20, 16, 192)
    assert batch["targets"]["audio"]["pixels"].shape == (1, 11, 64, 32, 1)
    assert batch["heads"]["image"]["positions"].shape == (1, 14 * 16)
    assert (batch["encoder"]["segment_ids"] > 0).mean() > 0.7
    assert all(head["weights"].sum() > 0 for head in batch["heads"].values())
