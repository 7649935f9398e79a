"""Overlaps against values by hand; scores that no useless box can raise."""

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.evaluation import boxes

UNIT = (0.0, 0.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        (UNIT, 1.0),
        ((1.0, 1.0, 3.0, 3.0), 1 / 7),  # 1 common of 4 + 4 - 1
        ((0.0, 1.0, 2.0, 2.0), 0.5),  # half of it
        ((0.5, 0.5, 1.5, 1.0), 0.125),  # inside
        ((2.0, 0.0, 4.0, 2.0), 0.0),  # side by side
        ((1.0, 1.0, 1.0, 1.0), 0.0),  # a point
    ],
)
def test_iou_by_hand(other, wanted):
    np.testing.assert_allclose(boxes.iou([UNIT], [other]), [[wanted]])
    np.testing.assert_allclose(boxes.iou([other], [UNIT]), [[wanted]])


def test_iou_of_many_and_of_none():
    assert boxes.iou([UNIT, (1.0, 1.0, 3.0, 3.0)], [UNIT]).shape == (2, 1)
    assert boxes.iou([], [UNIT]).shape == (0, 1)


def test_mean_iou_pays_for_boxes_too_many_and_too_few():
    right, far = UNIT, (5.0, 5.0, 6.0, 6.0)
    assert boxes.mean_iou([right], [right]) == 1.0
    assert boxes.mean_iou([right, far], [right]) == 0.5
    assert boxes.mean_iou([right], [right, far]) == 0.5
    assert boxes.mean_iou([far], [right]) == 0.0
    assert boxes.mean_iou([], []) == 1.0


def test_accuracy_wants_the_label_and_the_place():
    seven, three = (0.0, 0.0, 1.0, 1.0), (2.0, 2.0, 3.0, 3.0)
    truth, labels = [seven, three], ["seven", "three"]
    assert boxes.accuracy(truth, labels, truth, labels) == 1.0
    assert boxes.accuracy([three, seven], ["three", "seven"], truth, labels) == 1.0
    assert boxes.accuracy(truth, ["three", "seven"], truth, labels) == 0.0
    assert boxes.accuracy(truth, ["seven", "seven"], truth, labels) == pytest.approx(1 / 3)
    assert boxes.accuracy([(0.0, 0.0, 1.0, 0.49)], ["seven"], [seven], ["seven"]) == 0.0
    assert boxes.accuracy([(0.0, 0.0, 1.0, 0.5)], ["seven"], [seven], ["seven"]) == 1.0
    assert boxes.accuracy([], [], [], []) == 1.0
    assert boxes.accuracy([], [], truth, labels) == 0.0


def test_a_wrong_label_does_not_take_the_place_of_a_right_one():
    near, exact = (0.0, 0.0, 1.0, 0.9), (0.0, 0.0, 1.0, 1.0)
    found = boxes.accuracy([exact, near], ["one", "seven"], [exact], ["seven"])
    assert found == 0.5  # the right one counts, the wrong one is one too many


def test_refuses_other_orders_and_shapes():
    with pytest.raises(DataError, match="y1, x1, y2, x2"):
        boxes.iou([(1.0, 1.0, 0.0, 0.0)], [UNIT])
    with pytest.raises(DataError, match="boxes"):
        boxes.iou([(1.0, 2.0)], [UNIT])
    with pytest.raises(DataError, match="label"):
        boxes.accuracy([UNIT], [], [UNIT], ["one"])
