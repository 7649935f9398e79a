"""What an agent would do against what an expert did, or against what it leads to. Knows no simulator."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean
from unified_io.evaluation.text import normalise

Words = Sequence[str]
Numbers = Sequence[float] | Sequence[Sequence[float]]

_WORST = 1.0  # mean error of numbers in [0, 1]


def same(predicted: Words | None, truth: Words) -> float:
    """Returns 1.0 if all steps, in words, are the expert's, and no more of them."""
    return float([normalise(step) for step in predicted or ()] == [normalise(step) for step in truth])


def same_steps(predicted: Words | None, truth: Words) -> float:
    """Returns the share of steps that are the expert's at their place; a step too many is a wrong one."""
    made, true = [normalise(step) for step in predicted or ()], [normalise(step) for step in truth]
    longest = max(len(made), len(true))
    return sum(a == b for a, b in zip(made, true, strict=False)) / longest if longest else 1.0


def mean_error(predicted: Numbers | None, truth: Numbers) -> float:
    """Returns the mean absolute error of all numbers of all steps, scaled to [0, 1]; 1 for a missing number.

    Raises:
      DataError: The truth has no step, or steps of different lengths.
    """
    true = _numbers(truth)
    if true is None or not true.size:
        raise DataError(f"true actions are {truth!r}; want [steps, numbers] with at least one step")
    made = _numbers(predicted)
    if made is None or made.ndim != 2 or made.shape[1] != true.shape[1]:
        return _WORST
    steps = min(len(made), len(true))
    errors = np.full((max(len(made), len(true)), true.shape[1]), _WORST)
    errors[:steps] = np.abs(made[:steps] - true[:steps]).clip(max=_WORST)
    return float(errors.mean())


def success(execute: Callable[[Any, Any], bool], name: str = "success") -> Mean:
    """Makes the metric of what actions lead to.

    Args:
      execute: (actions, truth) -> whether the goal is reached; the truth holds the world and the goal. It must not fail
        on what a model wrote.
      name: What the rate of success is called.
    """
    return Mean(
        name, each=lambda predicted, truth: float(predicted is not None and execute(predicted, truth))
    )


def _numbers(steps: Numbers | None) -> np.ndarray | None:
    try:
        array = np.atleast_2d(np.asarray(steps, np.float64))
    except (TypeError, ValueError):
        return None
    return array if array.ndim == 2 and np.isfinite(array).all() else None


ACTIONS = Mean("actions_exact", each=same)
"""Prediction and truth: steps in words."""

STEPS = Mean("steps_exact", each=same_steps)
ACTION_L1 = Mean("action_l1", 0.0, _WORST, mean_error)
"""Prediction and truth: [numbers] of one step, or [steps, numbers], in [0, 1]."""
