"""Plans of numbered steps, each in words or in poses of a robot arm, written and read, and how right one is."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_tasks.formats.caption import tidy
from data_tasks.formats.command import Command
from unified_io.api.actions import TABLE, TURN, read_plan
from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean

_NEAR = 0.01  # of its range a number of a plan may be off
_STEP = re.compile(r"(?:^|\s)\d+\s*:")
_POSE = Command((TABLE[0][0], TABLE[1][0], TURN[0]), (TABLE[0][1], TABLE[1][1], TURN[1]))

Pose = Sequence[Any]
"""Words, x and y in metres, rotation in radians: ["pick from", 0.5, -0.1, 0.0]."""


def write_program(steps: Sequence[str | Sequence[Pose]]) -> str:
    """Writes numbered steps, each either words or poses.

    write_program(["go in", "sit"]) = "1: go in 2: sit"

    Raises:
      DataError: There is no step, a pose is none, or lies off the table.

    Source: VIMA's actions as Unified-IO 2 writes them.
    """
    if not len(steps):
        raise DataError("field actions is empty; want one step at the least")
    return " ".join(f"{n}: {_spelled(step)}" for n, step in enumerate(steps, 1))


def read_program(text: str) -> list[Any]:
    """Reads numbered steps; inverse of `write_program` up to the width of a bin. What is no step is left out."""
    plan = read_plan(text)
    if plan.steps:
        return [
            [[p.words.removeprefix("and ").strip(), p.x, p.y, p.rotation] for p in step]
            for step in plan.steps
        ]
    return [words for part in _STEP.split(text)[1:] if (words := tidy(part))]


def _spelled(step: str | Sequence[Pose]) -> str:
    if isinstance(step, str):
        return tidy(step)
    try:
        return " and ".join(f"{tidy(words)} ( {_POSE.write(numbers)} )" for words, *numbers in step)
    except (TypeError, AttributeError) as error:
        raise DataError(f"step {step!r} is neither words nor poses [words, x, y, rotation]") from error


def plan_right(predicted: Sequence[Any], truth: Sequence[Any]) -> float:
    """Returns the share of steps that are right at their place; steps too many count as wrong ones."""
    right = sum(_same(mine, yours) for mine, yours in zip(predicted, truth, strict=False))
    return right / max(len(predicted), len(truth), 1)


def _same(mine: Any, yours: Any) -> bool:
    if isinstance(mine, str) and isinstance(yours, str):
        return tidy(mine) == tidy(yours)
    if isinstance(mine, str) or isinstance(yours, str) or len(mine) != len(yours):
        return False
    ranges = np.subtract(_POSE.high, _POSE.low)
    for (words, *made), (wanted, *true) in zip(mine, yours, strict=True):
        off = np.abs(np.subtract(made, true)) / ranges
        off[2] = min(off[2], 1.0 - off[2])  # a full turn is none
        if tidy(words) != tidy(wanted) or (off > _NEAR).any():
            return False
    return True


PLAN = Mean("steps_right", each=plan_right)
