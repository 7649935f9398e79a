"""DisCRn: which of two inputs a question is about, by any name that the right one has. Knows the benchmark's names."""

import re
from typing import NamedTuple

from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean
from unified_io.evaluation.text import normalise

_SIDES = (("first", "left", "1"), ("second", "right", "2"))
_LETTERS = ("a", "b")
_LETTERED = ("input", "entity", "option")
_ALSO = {
    "point_cloud": ("3d", "model", "rendering"),
    "3d": ("model", "rendering"),
    "image": ("photo", "picture"),
    "audio": ("sound",),
}


class Truth(NamedTuple):
    """Which input is right: 0 is the first, 1 the second; and the modality of each."""

    side: int
    kinds: tuple[str, str]


def aliases(side: int, kind: str) -> frozenset[str]:
    """Returns the words that mean an input: its place, its modality, and other names of that."""
    return frozenset((*_SIDES[side], kind, *_ALSO.get(kind, ())))


def right(prediction: str, truth: Truth) -> float:
    """Returns 1.0 if the prediction names the right input by one of its `aliases`, else 0.0.

    The letters a and b count as the whole answer, alone in parentheses, or behind a word such as "input": elsewhere "a"
    is an article.

    Raises:
      DataError: The side is neither 0 nor 1, or both inputs are of one modality, whose name would be right always.

    Source: X-InstructBLIP. As there, an answer that names both inputs is right.
    """
    if truth.side not in (0, 1) or len({*truth.kinds}) != 2:
        raise DataError(f"the truth is {truth!r}; want side 0 or 1, and two different modalities")
    said = normalise(prediction).split()
    named = aliases(truth.side, truth.kinds[truth.side]) & {*said}
    return float(bool(named) or _LETTERS[truth.side] in _letters(prediction, said))


def _letters(prediction: str, said: list[str]) -> set[str]:
    found = {word for before, word in zip(said, said[1:], strict=False) if before in _LETTERED}
    return found | {*re.findall(r"\((\w)\)", prediction.lower())} | ({*said} if len(said) == 1 else set())


DISCRN = Mean("discrn", each=right)
"""Prediction: a text. Truth: a `Truth`."""
