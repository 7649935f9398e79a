"""Where in a picture a sound comes from, against what several people marked. Knows boxes only."""

from typing import Any

import numpy as np

from unified_io.errors import DataError
from unified_io.evaluation.boxes import proper, read
from unified_io.evaluation.metric import Mean

_CONSENSUS = 2  # people who must agree on a place for it to count in full


def consensus_iou(predicted: Any, truth: Any) -> float:
    """Returns cIoU: the agreed-on area inside the predicted boxes / (all of it + predicted area nobody marked).

    Every place weighs as many people as marked it, up to two, over two; or 1 where only one person was asked.

    Args:
      predicted: Boxes; together they are the place.
      truth: One box a person.

    Raises:
      DataError: Nobody marked any area.

    Source: Senocak et al., "Learning to localize sound source in visual scenes" (2018). Areas are exact here.
    """
    made, true = proper(read(predicted).boxes), read(truth).boxes
    edges = np.concatenate([made, true])
    ys, xs = np.unique(edges[:, [0, 2]]), np.unique(edges[:, [1, 3]])
    areas = np.diff(ys)[:, None] * np.diff(xs)[None, :]

    def counts(boxes: np.ndarray) -> np.ndarray:
        inside_y = (boxes[:, 0, None] <= ys[:-1]) & (boxes[:, 2, None] >= ys[1:])
        inside_x = (boxes[:, 1, None] <= xs[:-1]) & (boxes[:, 3, None] >= xs[1:])
        return (inside_y[:, :, None] & inside_x[:, None, :]).sum(axis=0)

    weight = np.minimum(counts(true) / max(1, min(_CONSENSUS, len(true))), 1.0) * areas
    if not weight.sum():
        raise DataError("nobody marked any area as the source of the sound; leave the example out")
    place = counts(made) > 0
    outside = areas[place & (counts(true) == 0)].sum()
    return float(weight[place].sum() / (weight.sum() + outside))


CIOU = Mean("ciou50", each=lambda predicted, truth: float(consensus_iou(predicted, truth) >= 0.5))
