"""Digits in words: what is written can be read, and no wording is in two splits."""

import numpy as np
import pytest

from data_tasks.digits import words
from unified_io.errors import ConfigError


@pytest.mark.parametrize("split", words.TEMPLATES)
@pytest.mark.parametrize("digit", range(10))
def test_every_wording_names_its_digit(split, digit):
    for template in words.TEMPLATES[split]:
        assert words.parse(template.format(word=words.WORDS[digit], numeral=digit)) == digit
    assert words.parse(words.answer(digit)) == digit


def test_no_wording_is_in_two_splits():
    templates = [template for split in words.TEMPLATES.values() for template in split]
    assert len(templates) == len(set(templates))
    said = {
        split: {words.phrase(7, split, np.random.default_rng(seed)) for seed in range(200)}
        for split in words.TEMPLATES
    }
    assert len(said["train"]) == len(words.TEMPLATES["train"])
    assert not said["train"] & said["test"] and not said["train"] & said["validation"]


def test_phrase_follows_its_seed_and_refuses_unknown_splits():
    rng = np.random.default_rng
    assert words.phrase(3, "train", rng(1)) == words.phrase(3, "train", rng(1))
    with pytest.raises(ConfigError, match="'train'"):
        words.phrase(3, "trian", rng(1))


@pytest.mark.parametrize(
    ("text", "digit"),
    [
        ("the digit seven", 7),
        ("Seven.", 7),
        ("a 7", 7),
        ("seven, that is 7", 7),
        ("it says '0'!", 0),
        ("seven or eight", None),
        ("7 8", None),
        ("seventeen", None),
        ("17", None),
        ("no digit here", None),
        ("phone", None),
        ("", None),
    ],
)
def test_parse(text, digit):
    assert words.parse(text) == digit
