"""Tracks by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation.tracking import SUCCESS, TRACK_IOU, success

UNIT = [0.0, 0.0, 1.0, 1.0]


def test_a_perfect_track_has_what_is_best():
    assert SUCCESS.total([[UNIT, UNIT]], [[UNIT, UNIT]]) == SUCCESS.best
    assert TRACK_IOU.total([[UNIT, UNIT]], [[UNIT, UNIT]]) == 1.0


# Not at a threshold, where the last bit of a ratio decides.
@given(st.floats(0.01, 1.0).filter(lambda height: abs(height * 20 - round(height * 20)) > 1e-6))
def test_the_curve_of_one_overlap(height):
    # Of an overlap all thresholds below it are passed: 0, .05, … 1.
    above = sum(height > threshold for threshold in np.linspace(0, 1, 21))
    assert success([[0.0, 0.0, height, 1.0]], [UNIT]) == pytest.approx(above / 21)


def test_a_track_lost_is_wrong_from_there():
    assert TRACK_IOU.total([[UNIT]], [[UNIT, UNIT]]) == 0.5
    assert SUCCESS.total([[]], [[UNIT]]) == SUCCESS.worst
    assert SUCCESS.total([{"boxes": []}], [{"boxes": [UNIT]}]) == 0.0
    assert TRACK_IOU.total([[UNIT, UNIT, UNIT]], [[UNIT]]) == 1.0
    assert TRACK_IOU.total([[[1.0, 1.0, 0.0, 0.0]]], [[UNIT]]) == 0.0


def test_refuses_a_track_of_nothing():
    with pytest.raises(DataError, match="leave the example out"):
        success([UNIT], [])
