"""Boxes against true boxes: overlap, the best one-to-one matching, and two scores an example.

Boxes are (y1, x1, y2, x2) in any unit. This file does not know how a box is written in tokens.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from unified_io.errors import DataError

Boxes = Float[np.ndarray, "n 4"] | Sequence[Sequence[float]]


def iou(first: Boxes, second: Boxes) -> Float[np.ndarray, "n m"]:
    """Returns intersection over union of every box in `first` with every box in `second`, in [0, 1].

    A box without area overlaps nothing, itself included.

    Raises:
      DataError: An array is not [boxes, 4], or a box ends before it starts.
    """
    a, b = _checked(first)[:, None], _checked(second)[None, :]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    common = sides.clip(min=0.0).prod(axis=-1)
    area_a, area_b = (a[..., 2:] - a[..., :2]).prod(axis=-1), (b[..., 2:] - b[..., :2]).prod(axis=-1)
    union = area_a + area_b - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0.0)


def match(overlap: Float[np.ndarray, "n m"]) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
    """Returns rows and columns of the one-to-one matching with the largest total overlap.

    The Hungarian algorithm. Pairs that do not overlap at all are left unmatched.
    """
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    real = overlap[rows, columns] > 0.0
    return rows[real], columns[real]


def mean_iou(predicted: Boxes, truth: Boxes) -> float:
    """Returns the sum of matched overlaps / (predicted + missed boxes); labels do not count.

    A box too many and a box too few both cost. Nothing predicted where nothing is: 1.

    Source: the localisation score of the GRIT benchmark.
    """
    overlap = iou(predicted, truth)
    pairs = match(overlap)
    return _share(float(overlap[pairs].sum()), overlap.shape, len(pairs[0]))


def accuracy(
    predicted: Boxes,
    predicted_labels: Sequence[str],
    truth: Boxes,
    true_labels: Sequence[str],
    *,
    threshold: float = 0.5,
) -> float:
    """Returns hits / (predicted + missed boxes).

    A hit has the right label and overlaps by `threshold` or more. Boxes are matched among those of
    the same label, so a box with a wrong label never takes the place of a right one.

    Raises:
      DataError: There is not one label a box.
    """
    overlap = iou(predicted, truth)
    if overlap.shape != (len(predicted_labels), len(true_labels)):
        raise DataError(
            f"{overlap.shape[0]} boxes with {len(predicted_labels)} labels against {overlap.shape[1]} boxes "
            f"with {len(true_labels)} labels; want one label a box"
        )
    same = np.array([[mine == yours for yours in true_labels] for mine in predicted_labels], bool)
    found = len(match((same.reshape(overlap.shape) & (overlap >= threshold)).astype(np.float64))[0])
    return _share(float(found), overlap.shape, found)


def _share(gain: float, shape: tuple[int, int], matched: int) -> float:
    predicted, true = shape
    counted = predicted + true - matched
    return gain / counted if counted else 1.0


def _checked(boxes: Boxes) -> Float[np.ndarray, "n 4"]:
    array = np.asarray(boxes, np.float64)
    if array.size == 0:
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise DataError(f"boxes have shape {array.shape}; want [boxes, 4] as (y1, x1, y2, x2)")
    if not (array[:, 2:] >= array[:, :2]).all():
        raise DataError("a box ends before it starts or is not a number; order is (y1, x1, y2, x2)")
    return array
