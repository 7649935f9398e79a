"""Digits in sentences: true ones about counting and adding, long enough to hide a part of.

Counting goes round: zero comes after nine.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from data_tasks.digits.words import WORDS, phrase
from unified_io.errors import unknown

Split = Literal["train", "validation", "test"]

# No template is in two splits.
TEMPLATES: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {
        "sum": ("{a} plus {b} is {digit}", "{a} and {b} make {digit}", "add {b} to {a} and get {digit}"),
        "rest": ("{more} minus {less} is {digit}", "take {less} from {more} and {digit} is left"),
        "place": (
            "{digit} comes after {before} and before {after}",
            "{before}, {digit} and {after} are neighbours",
        ),
        "count": ("{run}", "count with me: {run}", "we go on like this: {run}"),
    },
    "validation": {
        "sum": ("the sum of {a} and {b} is {digit}",),
        "rest": ("{more} less {less} leaves {digit}",),
        "place": ("{digit} stands between {before} and {after}",),
        "count": ("let us count: {run}",),
    },
    "test": {
        "sum": ("{a} with {b} more gives {digit}", "{digit} is {a} and {b} together"),
        "rest": ("without {less} of {more} you have {digit}",),
        "place": ("before {after} and behind {before} there is {digit}",),
        "count": ("the children shout: {run}", "here they come: {run}"),
    },
}
STEPS = (1, -1, 2, -2)
"""How a count goes on: up or down, every digit or every other one."""
RUN = (3, 6)


def sentence(digit: int, split: Split, rng: np.random.Generator) -> str:
    """Returns a true sentence with a digit in it, in a wording of this split only: "two plus three is five".

    Raises:
      ConfigError: There is no such split.
    """
    if split not in TEMPLATES:
        raise unknown("split", split, TEMPLATES)
    kind = list(TEMPLATES[split])[rng.integers(len(TEMPLATES[split]))]
    wordings = TEMPLATES[split][kind]
    return wordings[rng.integers(len(wordings))].format(**_SLOTS[kind](digit, rng))


def remark(digit: int, split: Split, rng: np.random.Generator) -> str:
    """Returns what could be said of a picture or a sound: which digit it is, and a sentence with that digit in it."""
    return f"{phrase(digit, split, rng)}, {sentence(digit, split, rng)}"


def passage(digit: int, split: Split, rng: np.random.Generator) -> str:
    """Returns two to four sentences, the first of them about a digit, the others about digits that are drawn."""
    digits = [digit, *rng.integers(len(WORDS), size=rng.integers(1, 4))]
    return ". ".join(sentence(int(each), split, rng) for each in digits)


def run(first: int, step: int, count: int) -> list[int]:
    """Returns digits that count on from the first one: run(8, 1, 3) is [8, 9, 0]."""
    return [(first + step * place) % len(WORDS) for place in range(count)]


def _sum(digit: int, rng: np.random.Generator) -> dict[str, str]:
    a = int(rng.integers(digit + 1))
    return {"a": WORDS[a], "b": WORDS[digit - a], "digit": WORDS[digit]}


def _rest(digit: int, rng: np.random.Generator) -> dict[str, str]:
    less = int(rng.integers(len(WORDS) - digit))
    return {"more": WORDS[digit + less], "less": WORDS[less], "digit": WORDS[digit]}


def _place(digit: int, rng: np.random.Generator) -> dict[str, str]:
    before, _, after = run(digit - 1, 1, 3)
    return {"before": WORDS[before], "digit": WORDS[digit], "after": WORDS[after]}


def _count(digit: int, rng: np.random.Generator) -> dict[str, str]:
    digits = run(digit, STEPS[rng.integers(len(STEPS))], int(rng.integers(RUN[0], RUN[1] + 1)))
    return {"run": ", ".join(WORDS[each] for each in digits)}


_SLOTS: dict[str, Callable[[int, np.random.Generator], dict[str, str]]] = {
    "sum": _sum,
    "rest": _rest,
    "place": _place,
    "count": _count,
}
