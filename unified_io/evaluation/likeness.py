"""How alike two texts are letter by letter. Needs the extra `metrics`."""

from unified_io.evaluation.library import library
from unified_io.evaluation.text import normalise


def partial_ratio(one: str, other: str) -> float:
    """Returns how well the shorter text fits its best place in the longer one, in 0 to 100, after `text.normalise`.

    partial_ratio("a dog", "Look, a dog!") = 100; a text without words is like nothing.

    It does not tell labels apart: "entity a" and "entity b" are 93 alike.

    Source: rapidfuzz, whose `partial_ratio` the round trip of X-InstructBLIP asks to be above 90.
    """
    first, second = normalise(one), normalise(other)
    if not first or not second:
        return 0.0
    return float(library("rapidfuzz.fuzz", "partial ratios").partial_ratio(first, second))
