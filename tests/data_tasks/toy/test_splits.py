"""Splits: no content in two of them, and nothing that is held out in training."""

import itertools
from collections import Counter

import numpy as np
import pytest

import data_tasks.toy.tasks  # noqa: F401
from data_tasks.registry import REGISTRY
from data_tasks.sources.record import pack, unpack
from data_tasks.toy import motion, moving, splits
from data_tasks.toy.scene import content_hash
from tests.data_tasks.formats.wording import worded_by
from unified_io.errors import ConfigError

COUNT = 60


@pytest.fixture(scope="module")
def states():
    return {
        name: [split.draw(splits.generator(name, index, "scene")) for index in range(COUNT)]
        for name, split in splits.SPLITS.items()
    }


def test_no_content_is_in_two_of_train_validation_and_test(states):
    hashes = {name: {content_hash(state) for state in drawn} for name, drawn in states.items()}
    tests = set().union(*(found for name, found in hashes.items() if name not in ("train", "validation")))
    for first, second in itertools.combinations((hashes["train"], hashes["validation"], tests), 2):
        assert not first & second
    # Whatever the seeds: the buckets themselves share nothing.
    parts = [splits.SPLITS[name].buckets for name in ("train", "validation", "test")]
    assert sorted(itertools.chain(*parts)) == list(range(10))
    assert all(
        split.buckets == (9,) for name, split in splits.SPLITS.items() if name not in ("train", "validation")
    )


def test_every_bucket_is_drawn(states):
    assert {splits.bucket(state) for state in states["train"]} == set(range(8))


def test_what_is_held_out_is_in_its_own_split_only(states):
    held = set(splits.HELD_OUT_PAIRS)
    for name, drawn in states.items():
        for state in drawn:
            pairs = {(thing.shape, thing.colour) for thing in state.things}
            assert bool(pairs & held) == (name == "novel_pair")
            assert any(shape == "capsule" for shape, _ in pairs) == (name == "novel_shape")
            assert (len(state.things) > 4) == (name == "more_things")


def test_every_number_of_things_is_as_likely(states):
    counts = Counter(len(state.things) for name in ("train", "validation", "test") for state in states[name])
    assert set(counts) == {1, 2, 3, 4} and min(counts.values()) > 3 * COUNT / 4 / 2


def test_forty_eight_pairs_of_which_six_are_held_out():
    assert len(splits.ALL_PAIRS) == 48 and len(set(splits.HELD_OUT_PAIRS)) == 6
    assert len(splits.KNOWN_PAIRS) == 34 and not {*splits.KNOWN_PAIRS} & {*splits.HELD_OUT_PAIRS}
    # Every colour and every other shape is known from some other pair.
    assert {colour for _, colour in splits.KNOWN_PAIRS} == {colour for _, colour in splits.ALL_PAIRS}


def test_a_clip_stays_in_its_split():
    for name in ("validation", "test"):
        for index, kind in enumerate(motion.KINDS):
            split = splits.SPLITS[name]
            clip = moving.draw(split, kind, splits.generator(name, index, "video"))
            assert split.owns(clip.states)
            assert not splits.SPLITS["train"].owns(clip.states[-1:])


def test_generators_differ_by_split_number_and_purpose():
    drawn = [
        splits.generator(*key).integers(2**40)
        for key in itertools.product(("train", "validation", "test"), range(5), ("scene", "edit"))
    ]
    assert len(set(drawn)) == len(drawn)


def test_an_unknown_split_is_named():
    with pytest.raises(ConfigError, match="validation"):
        splits.split("validaton")


@pytest.mark.parametrize("name", [*splits.SPLITS])
def test_only_the_split_of_new_wordings_is_asked_in_them(name):
    task = REGISTRY["toy_caption"]
    for index in range(4):
        [raw] = task.source.raw(name, {"index": np.int64(index)})
        prompt = task.form(unpack(pack(raw)), np.random.default_rng(index))["text_inputs"]
        assert worded_by(task.form, prompt) == (name != "novel_wording")
