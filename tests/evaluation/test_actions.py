"""Actions against an expert's, and against what they lead to."""

import pytest

from unified_io.errors import DataError
from unified_io.evaluation.actions import ACTION_L1, ACTIONS, STEPS, success

PLAN = ["forward", "left", "stop"]


def test_words():
    assert ACTIONS.total([["Forward", "left.", "stop"]], [PLAN]) == 1.0
    assert ACTIONS.total([PLAN[:2], [*PLAN, "stop"], None], [PLAN] * 3) == 0.0
    assert STEPS.total([PLAN[:2]], [PLAN]) == pytest.approx(2 / 3)
    assert STEPS.total([[*PLAN, "stop"]], [PLAN]) == 0.75
    assert STEPS.total([PLAN[1:]], [PLAN]) == 0.0
    assert STEPS.total([None], [[]]) == 1.0


def test_numbers():
    assert ACTION_L1.total([[0.5, 1.0]], [[0.5, 0.6]]) == pytest.approx(0.2)
    assert ACTION_L1.total([[[0.0], [1.0]]], [[[0.0], [0.5]]]) == pytest.approx(0.25)
    assert ACTION_L1.total([[[0.5]]], [[[0.5], [0.5]]]) == 0.5  # a step is missing
    assert ACTION_L1.total([[[9.0]]], [[[0.5]]]) == 1.0
    for nothing in (None, [], [[0.1, 0.2]], [[0.1], [0.2, 0.3]], [["left"]]):
        assert ACTION_L1.total([nothing], [[[0.5]]]) == ACTION_L1.worst
    with pytest.raises(DataError, match="at least one step"):
        ACTION_L1.total([[0.1]], [[]])


def test_what_actions_lead_to():
    def execute(actions, world):
        return world["start"] + sum(actions) == world["goal"]

    metric = success(execute, "reached")
    assert metric.name == "reached"
    assert metric.total([[1, 1], [1], None], [{"start": 0, "goal": 2}] * 3) == pytest.approx(1 / 3)
