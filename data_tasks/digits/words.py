"""Digits in English: how a text names one, and which one a text names."""

import re
from typing import Literal

import numpy as np

from unified_io.errors import unknown

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# No template is in two splits. {word} is "seven", {numeral} is "7".
TEMPLATES = {
    "train": (
        "{word}",
        "{numeral}",
        "the digit {word}",
        "the digit {numeral}",
        "digit {word}",
        "number {word}",
        "the number {numeral}",
        "a {word}",
        "a handwritten {word}",
        "a digit: {numeral}",
        "this is {word}",
        "the answer is {word}",
        "it says {numeral}",
        "someone says {word}",
    ),
    "validation": (
        "the value {word}",
        "this digit is {word}",
        "number: {numeral}",
        "the word {word}",
    ),
    "test": (
        "the numeral {word}",
        "the numeral {numeral}",
        "figure {word}",
        "it is a {word}",
        "that would be {numeral}",
        "a digit, namely {word}",
    ),
}
_TOKEN = re.compile(r"[a-z]+|\d+")
_VALUES = {word: digit for digit, word in enumerate(WORDS)} | {str(digit): digit for digit in range(10)}


def phrase(digit: int, split: Literal["train", "validation", "test"], rng: np.random.Generator) -> str:
    """Returns a text that names a digit, in a wording of this split only.

    Raises:
      ConfigError: There is no such split.
    """
    if split not in TEMPLATES:
        raise unknown("split", split, TEMPLATES)
    template = TEMPLATES[split][rng.integers(len(TEMPLATES[split]))]
    return template.format(word=WORDS[digit], numeral=digit)


def answer(digit: int) -> str:
    """Returns how a digit is written in a text output: "seven"."""
    return WORDS[digit]


def parse(text: str) -> int | None:
    """Returns the digit a text names; None if it names none, or several different ones.

    "the digit seven" and "a 7" are 7; "17", "seventeen" and "six or seven" are None.
    """
    named = {_VALUES[token] for token in _TOKEN.findall(text.lower()) if token in _VALUES}
    return named.pop() if len(named) == 1 else None
