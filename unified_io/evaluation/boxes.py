"""Boxes against true boxes: their overlap, how well they are matched one to one, and average precision.

Boxes are (y1, x1, y2, x2) in any unit. This file does not know how a box is written in tokens.

Predictions and truths of the ready metrics are `{"boxes": …, "labels": …}` or boxes alone; predictions may have
`"scores"`, truths `"crowd"`, one a box. A predicted box that ends before it starts counts as one that is nowhere.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation import ranking
from unified_io.evaluation.matching import matched_share
from unified_io.evaluation.metric import Mean, Whole

Boxes = Float[np.ndarray, "n 4"] | Sequence[Sequence[float]]
Described = Mapping[str, Any] | Boxes
COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10))


class Found(NamedTuple):
    """Boxes, what each is called ("" without a name), how sure each is, and whether it stands for a crowd."""

    boxes: Float[np.ndarray, "n 4"]
    labels: list[str]
    scores: Float[np.ndarray, "n"]
    crowd: np.ndarray


def read(described: Described | None) -> Found:
    """Reads a prediction or a truth; None is nothing.

    Without scores the first box is the surest: 1, 1/2, 1/3 … Models that write boxes as text give none.

    Raises:
      DataError: There are not as many labels, scores or crowd marks as boxes, or boxes are no [n, 4].
    """
    fields = (
        described if isinstance(described, Mapping) else {"boxes": [] if described is None else described}
    )
    boxes = np.asarray(fields["boxes"], np.float64)
    boxes = boxes.reshape(0, 4) if not boxes.size else np.atleast_2d(boxes)
    labels = list(fields.get("labels") or [""] * len(boxes))
    scores = fields.get("scores")
    scores = 1.0 / np.arange(1, len(boxes) + 1) if scores is None else np.asarray(scores, np.float64)
    crowd = np.asarray(fields.get("crowd", np.zeros(len(boxes))), bool)
    if boxes.shape[1:] != (4,) or not len(boxes) == len(labels) == len(scores) == len(crowd):
        raise DataError(
            f"boxes of shape {boxes.shape} with {len(labels)} labels, {len(scores)} scores and {len(crowd)} "
            "crowd marks; want [n, 4] as (y1, x1, y2, x2) and one of each a box"
        )
    return Found(boxes, labels, scores, crowd)


def proper(boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """Returns what a model wrote as boxes that can be compared: an inside-out one becomes a point, and hits nothing."""
    right = (boxes[:, 2:] >= boxes[:, :2]).all(axis=1, keepdims=True)
    return np.where(right, boxes, 0.0)


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


def keep_first(boxes: Float[np.ndarray, "n 4"], overlap: float) -> list[int]:
    """Returns which boxes do not overlap an earlier kept one by more than `overlap` (IoU).

    Source: the released non-maximum suppression, which goes by the order in which the boxes were written.
    """
    if not 0 <= overlap <= 1:
        raise ConfigError(f"overlap {overlap} is no IoU; give a number from 0 to 1")
    shared = iou(boxes, boxes)
    kept: list[int] = []
    for i in range(len(boxes)):
        if not (shared[i, kept] > overlap).any():
            kept.append(i)
    return kept


def mean_iou(predicted: Boxes, truth: Boxes) -> float:
    """Returns the sum of matched overlaps / (predicted + missed boxes); labels do not count.

    A box too many and a box too few both cost. Nothing predicted where nothing is: 1.

    Source: the localisation score of the GRIT benchmark.
    """
    return matched_share(iou(predicted, truth))


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
    return matched_share((same.reshape(overlap.shape) & (overlap >= threshold)).astype(np.float64))


def first_iou(predicted: Described | None, truth: Described) -> float:
    """Returns how much the first predicted box overlaps the true one; 0 without any.

    Raises:
      DataError: The truth is not one box.
    """
    made, true = read(predicted).boxes[:1], read(truth).boxes
    if len(true) != 1:
        raise DataError(f"the truth has {len(true)} boxes, wanted one; score several with GRIT or AP")
    return float(iou(proper(made), true).max(initial=0.0))


def localisation(predicted: Described | None, truth: Described) -> float:
    """Returns `mean_iou` of boxes as a model wrote them."""
    return mean_iou(proper(read(predicted).boxes), read(truth).boxes)


def judged(
    predicted: Described | None, truth: Described, thresholds: Sequence[float]
) -> dict[str, ranking.Ranked]:
    """Returns for every name in an example which of its boxes are hits, for `ranking.mean_average_precision`."""
    made, true = read(predicted), read(truth)
    overlap = _overlap_with_crowds(proper(made.boxes), true)
    found = {}
    for name in dict.fromkeys([*true.labels, *made.labels]):
        mine = np.array([n == name for n in made.labels], bool)
        there = np.array([n == name for n in true.labels], bool)
        found[name] = ranking.judge(overlap[mine][:, there], made.scores[mine], true.crowd[there], thresholds)
    return found


def _overlap_with_crowds(boxes: Float[np.ndarray, "n 4"], truth: Found) -> Float[np.ndarray, "n m"]:
    """Returns `iou`, but with a crowd the share of the found box that lies in it."""
    overlap = iou(boxes, truth.boxes)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1, keepdims=True)
    theirs = (truth.boxes[:, 2:] - truth.boxes[:, :2]).prod(axis=-1)
    common = overlap * (areas + theirs) / (1.0 + overlap)
    inside = np.divide(common, areas, out=np.zeros_like(common), where=areas > 0.0)
    return np.where(truth.crowd, inside, overlap)


def _checked(boxes: Boxes) -> Float[np.ndarray, "n 4"]:
    array = np.asarray(boxes, np.float64)
    if array.size == 0:
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise DataError(f"boxes have shape {array.shape}; want [boxes, 4] as (y1, x1, y2, x2)")
    if not (array[:, 2:] >= array[:, :2]).all():
        raise DataError("a box ends before it starts or is not a number; order is (y1, x1, y2, x2)")
    return array


def _precision(name: str, thresholds: Sequence[float], interpolated: bool = True) -> Whole:
    def prepare(predictions: Sequence[Any], truths: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        return [judged(p, t, thresholds) for p, t in zip(predictions, truths, strict=True)], truths

    def all_(ranked: Sequence[Mapping[str, ranking.Ranked]], _: Sequence[Any]) -> float:
        return float(ranking.mean_average_precision(ranked, interpolated=interpolated).mean())

    return Whole(name, all=all_, prepare=prepare)


def _above(threshold: float) -> Callable[[Any, Any], float]:
    return lambda predicted, truth: float(first_iou(predicted, truth) > threshold)


ACC50 = Mean("acc50", each=_above(0.5))
"""Whether the first box overlaps the one true box by more than a half: referring expressions."""

MEAN_IOU = Mean("mean_iou", each=first_iou)
GRIT = Mean("localisation", each=localisation)
"""All boxes of a class against all true ones, names left aside."""

AP = _precision("ap", COCO_THRESHOLDS)
AP50 = _precision("ap50", (0.5,))
AP75 = _precision("ap75", (0.75,))
FRAME_AP = _precision("frame_ap", (0.5,), interpolated=False)
"""As AVA has it: one box may carry several names, each given with a box of its own."""
