"""Moves of the arm as the poses of a written plan, and back: metres of VIMA's work space, radians. Knows no text."""

import math
from collections.abc import Sequence
from typing import Any

from data_tasks.toy.arm import Move
from unified_io.api.actions import TABLE, TURN

PICK, PLACE = "pick from", "place to"
_DOWN, _RIGHT = TABLE  # the picture's rows lie along x, its columns along y, as the robot looks at its table


def steps(moves: Sequence[Move]) -> list[list[list[Any]]]:
    """Returns moves as steps of two poses [words, x, y, rotation]; inverse of `moves`."""
    return [[[PICK, *_pose(*move[:3])], [PLACE, *_pose(*move[3:])]] for move in moves]


def moves(plan: Sequence[Any]) -> list[Move]:
    """Returns the moves of a plan that was read; a step that is not a pick and a place is a broken move."""
    return [_move(step) for step in plan]


def _pose(x: float, y: float, turn: float) -> tuple[float, float, float]:
    (low, high), (left, right) = _DOWN, _RIGHT
    return low + y * (high - low), left + x * (right - left), (turn % 1.0) * TURN[1]


def _move(step: Any) -> Move:
    if isinstance(step, str) or [pose[0] for pose in step] != [PICK, PLACE]:
        return (math.nan,) * 6
    (low, high), (left, right) = _DOWN, _RIGHT
    numbers: list[float] = []
    for _, down, across, rotation in step:
        numbers += [(across - left) / (right - left), (down - low) / (high - low), rotation / TURN[1]]
    return tuple(numbers)
