"""Masks against true masks: their overlap, and that of their rims. Knows arrays only."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

from unified_io.errors import DataError
from unified_io.evaluation.matching import matched_share
from unified_io.evaluation.media import mask_iou

_RIM = 0.02  # of the picture's diagonal

Masks = Bool[np.ndarray, "h w"] | Bool[np.ndarray, "n h w"] | Sequence[Bool[np.ndarray, "h w"]]


def rim(mask: Bool[np.ndarray, "h w"], ratio: float = _RIM) -> Bool[np.ndarray, "h w"]:
    """Returns the pixels of a mask within `ratio` of the picture's diagonal of its edge, at least one pixel wide.

    The border of the picture is an edge too.

    Source: Cheng et al., "Boundary IoU" (2021).
    """
    width = max(1, round(ratio * float(np.hypot(*mask.shape))))
    inner = ndimage.binary_erosion(np.pad(mask, 1), np.ones((3, 3), bool), iterations=width)
    return mask & ~inner[1:-1, 1:-1]


def boundary_iou(predicted: Masks | None, truth: Masks, *, merge: bool = False) -> float:
    """Returns the sum of the matched overlaps of rims / (predicted + missed masks).

    An empty mask is no mask. Nothing predicted where nothing is: 1.

    Args:
      predicted: One mask, or several.
      truth: One mask, or several of the same size.
      merge: Judge all together as one mask: for "stuff", such as grass, which has no single things.

    Raises:
      DataError: Masks are no [n, h, w], or of another size than the truth.

    Source: the segmentation score of the GRIT benchmark.
    """
    made, true = _several(predicted), _several(truth)
    if len(made) and len(true) and made.shape[1:] != true.shape[1:]:
        raise DataError(f"masks are {made.shape[1:]}, the true ones {true.shape[1:]}; want equal sizes")
    if merge:
        made, true = _several(made.any(axis=0)), _several(true.any(axis=0))
    overlap = np.array([[mask_iou(rim(m), rim(t)) for t in true] for m in made]).reshape(len(made), len(true))
    return matched_share(overlap)


def iou(predicted: Bool[np.ndarray, "h w"] | None, truth: Bool[np.ndarray, "h w"]) -> float:
    """Returns `media.mask_iou`; 0 where there is no prediction at all.

    Raises:
      DataError: The masks differ in size.
    """
    return 0.0 if predicted is None else mask_iou(np.asarray(predicted, bool), np.asarray(truth, bool))


def _several(masks: Masks | None) -> Bool[np.ndarray, "n h w"]:
    array = np.asarray([] if masks is None else masks, bool)
    if array.ndim == 2:
        array = array[None]
    if not array.size:
        return np.zeros((0, 0, 0), bool)
    if array.ndim != 3:
        raise DataError(f"masks have shape {array.shape}; want [h, w] or [masks, h, w]")
    return array[array.any(axis=(1, 2))]
