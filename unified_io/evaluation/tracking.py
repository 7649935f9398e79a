"""A thing followed through frames: how much its boxes overlap the true ones. Knows boxes, not how they were found."""

from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation.boxes import iou, proper, read
from unified_io.evaluation.metric import Mean

_THRESHOLDS = np.linspace(0.0, 1.0, 21)


def overlaps(predicted: Any, truth: Any) -> Float[np.ndarray, "frames"]:
    """Returns the overlap in every frame; a frame without a prediction has none.

    Args:
      predicted: One box a frame, in order; may stop early. Boxes too many are left aside.
      truth: One box a frame.

    Raises:
      DataError: The truth has no frame.
    """
    made, true = proper(read(predicted).boxes), read(truth).boxes
    if not len(true):
        raise DataError("a track without a true box can not be scored; leave the example out")
    found = np.zeros(len(true))
    for frame in range(min(len(made), len(true))):
        found[frame] = iou(made[[frame]], true[[frame]])[0, 0]
    return found


def success(predicted: Any, truth: Any) -> float:
    """Returns the area under the success curve: the share of frames whose overlap exceeds 0, .05, … 1, averaged.

    Nothing exceeds 1, so a perfect track has 20/21.

    Source: Wu et al., "Online object tracking: a benchmark" (2013).
    """
    return float(np.mean(overlaps(predicted, truth)[:, None] > _THRESHOLDS))


SUCCESS = Mean("success_auc", best=20 / 21, each=success)
TRACK_IOU = Mean("track_iou", each=lambda predicted, truth: float(overlaps(predicted, truth).mean()))
"""Mean overlap of all frames, which GOT-10k calls average overlap."""
