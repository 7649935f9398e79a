"""The joints of persons against the true ones: similarity on COCO's scale, and GRIT's score of a picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation.matching import matched_share
from unified_io.evaluation.metric import Mean

SIGMAS = (0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072,
          0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089)  # fmt: skip
"""How far people are apart on every COCO part, as a share of the person's size: an eye is sharper than a hip."""

Persons = Float[np.ndarray, "n 17 d"] | Sequence[Any]


def similarity(predicted: Persons, truth: Persons) -> Float[np.ndarray, "n m"]:
    """Returns the object keypoint similarity of every predicted person with every true one, in [0, 1].

    exp(-d² / (2 s² (2 sigma)²)), d the distance and s² the area of the box around the true points, as a mean over the
    points that the truth knows.

    Args:
      predicted: Points (y, x) or (y, x, anything) of all 17 parts.
      truth: Points (y, x, visible); visible is 0 where the place is not known.

    Raises:
      DataError: Persons are no [n, 17, 2 or 3], or a true one has no point.

    Source: the COCO keypoint evaluation; the area from the points' own box as in GRIT.
    """
    made, true = _checked(predicted, (2, 3)), _checked(truth, (3,))
    known = true[..., 2] > 0.0
    if not known.any(axis=1).all():
        raise DataError("a true person has no point that is known; leave it out of the truth")
    where = np.where(known[..., None], true[..., :2], np.nan)
    areas = (np.nanmax(where, axis=1) - np.nanmin(where, axis=1)).prod(axis=-1, initial=1.0)
    squared = np.square(made[:, None, :, :2] - true[None, :, :, :2]).sum(axis=-1)
    scale = 2.0 * np.square(2.0 * np.array(SIGMAS)) * (areas[:, None] + np.spacing(1))
    return (np.exp(-squared / scale) * known).sum(axis=-1) / known.sum(axis=-1)


def oks(predicted: Persons, truth: Persons) -> float:
    """Returns the sum of matched similarities / (predicted + missed persons).

    Raises:
      DataError: As `similarity`.
    """
    return matched_share(similarity(predicted, truth))


def _checked(persons: Persons, sizes: tuple[int, ...]) -> Float[np.ndarray, "n 17 d"]:
    array = np.asarray([] if persons is None else persons, np.float64)
    if not array.size:
        return np.zeros((0, len(SIGMAS), sizes[-1]))
    if array.ndim != 3 or array.shape[1] != len(SIGMAS) or array.shape[2] not in sizes:
        raise DataError(
            f"persons have shape {array.shape}; want [persons, {len(SIGMAS)} parts, {' or '.join(map(str, sizes))}]"
        )
    return array


OKS = Mean("oks", each=oks)
"""Prediction: all 17 points (y, x) of every person found. Truth: (y, x, visible) of every person there."""
