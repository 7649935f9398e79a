"""Digits in sentences: every one is true, names its digit, and no wording is in two splits."""

import re

import numpy as np
import pytest

from data_tasks.digits import sentences
from data_tasks.digits.words import TEMPLATES as NAMINGS
from data_tasks.digits.words import WORDS
from unified_io.errors import ConfigError

SPLITS = tuple(sentences.TEMPLATES)
rng = np.random.default_rng


def digits_in(text):
    return [WORDS.index(word) for word in re.findall(r"[a-z]+", text) if word in WORDS]


def is_true(text):
    """Whether the digits of a sentence add up, or count on by one or two."""
    found = digits_in(text)
    low, middle, high = sorted(found[:3])
    steps = {(after - before) % 10 for before, after in zip(found, found[1:], strict=False)}
    neighbours = {low, middle, high} in [{d, (d + 1) % 10, (d + 2) % 10} for d in range(10)]
    adds_up = len(found) == 3 and low + middle == high
    return adds_up or neighbours or (len(found) >= 3 and len(steps) == 1 and steps <= {1, 2, 8, 9})


@pytest.mark.parametrize("split", SPLITS)
def test_a_sentence_is_true_and_names_its_digit(split):
    for digit in range(10):
        drawn = {sentences.sentence(digit, split, rng(seed)) for seed in range(150)}
        assert len(drawn) > 10
        for text in drawn:
            assert digit in digits_in(text) and is_true(text), text


def test_what_is_false_would_be_noticed():
    assert not is_true("two plus three is six") and not is_true("one, two, four")
    assert not is_true("six comes after four and before eight")


def test_no_wording_is_in_two_splits():
    wordings = [w for kinds in sentences.TEMPLATES.values() for several in kinds.values() for w in several]
    assert len(wordings) == len(set(wordings)) and not {*wordings} & {w for s in NAMINGS.values() for w in s}
    said = {
        split: {sentences.sentence(seed % 10, split, rng(seed)) for seed in range(1500)} for split in SPLITS
    }
    assert not said["train"] & said["validation"] and not (said["train"] | said["validation"]) & said["test"]


def test_counting_goes_round():
    assert sentences.run(8, 1, 4) == [8, 9, 0, 1] and sentences.run(1, -2, 3) == [1, 9, 7]


@pytest.mark.parametrize("make, least, most", [(sentences.remark, 1, 1), (sentences.passage, 2, 4)])
def test_longer_texts_begin_with_their_digit_and_follow_their_seed(make, least, most):
    counts = set()
    for seed in range(100):
        text = make(4, "train", rng(seed))
        assert text == make(4, "train", rng(seed))
        parts = text.split(". ")
        counts.add(len(parts))
        assert 4 in digits_in(parts[0])
    assert counts == {*range(least, most + 1)}


def test_unknown_splits_are_refused():
    with pytest.raises(ConfigError, match="'train'"):
        sentences.sentence(3, "trian", rng(1))
