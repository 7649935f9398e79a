"""Where a sound comes from, by hand and against a fine grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation.sounding import CIOU, consensus_iou

UNIT = [0.0, 0.0, 1.0, 1.0]


def test_by_hand():
    left, right = [0.0, 0.0, 1.0, 0.5], [0.0, 0.5, 1.0, 1.0]
    assert consensus_iou([UNIT], [UNIT, UNIT, UNIT]) == 1.0
    assert consensus_iou([UNIT], [UNIT]) == 1.0  # one person is asked: a whole vote
    assert consensus_iou([left], [UNIT, UNIT]) == 0.5
    # All marked by one of two, the left by both: weights 1 and .5.
    assert consensus_iou([left], [UNIT, left]) == pytest.approx(0.5 / 0.75)
    # Right was marked by nobody.
    assert consensus_iou([UNIT], [left, left]) == pytest.approx(0.5)
    assert consensus_iou([right], [left, left]) == 0.0
    assert CIOU.total([[UNIT], [right], [], None], [[left, left]] * 4) == 0.25


BOX = st.tuples(*[st.integers(0, 10)] * 4).map(
    lambda b: [min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(BOX, max_size=3), st.lists(BOX, min_size=1, max_size=3))
def test_exact_areas_are_those_of_a_grid(made, true):
    def counts(boxes):
        grid = np.zeros((10, 10))
        for y1, x1, y2, x2 in boxes:
            grid[y1:y2, x1:x2] += 1
        return grid

    weight = np.minimum(counts(true) / min(2, len(true)), 1.0)
    if not weight.sum():
        with pytest.raises(DataError, match="leave the example out"):
            consensus_iou(made, true)
        return
    place = counts(made) > 0
    wanted = weight[place].sum() / (weight.sum() + np.count_nonzero(place & (counts(true) == 0)))
    assert consensus_iou(made, true) == pytest.approx(wanted)
