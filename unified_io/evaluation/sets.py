"""Several answers at once, in any order, against all that are right. Knows strings only."""

from collections.abc import Sequence

from unified_io.evaluation.metric import Mean
from unified_io.evaluation.text import normalise


def precision_recall(predicted: Sequence[str], truth: Sequence[str]) -> tuple[float, float]:
    """Returns the share of answers that are right, and the share of right answers that were given.

    Each answer counts once, after `text.normalise`. Nothing of nothing is 1.
    """
    made, true = {normalise(text) for text in predicted}, {normalise(text) for text in truth}
    hits = len(made & true)
    return hits / len(made) if made else float(not true), hits / len(true) if true else float(not made)


def f1(predicted: Sequence[str] | None, truth: Sequence[str]) -> float:
    """Returns the harmonic mean of precision and recall; 1 where nothing was to be said and nothing was."""
    precision, recall = precision_recall(predicted or (), truth)
    return 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0


F1 = Mean("set_f1", each=f1)
"""Prediction and truth: lists of texts."""
