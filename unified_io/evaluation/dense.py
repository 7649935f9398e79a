"""Maps of a picture against true maps: masks, depth, surface normals, flow. Knows arrays, not how maps are painted."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation import masks, normals
from unified_io.evaluation.metric import Mean

Depth = Float[np.ndarray, "h w"]
Flow = Float[np.ndarray, "h w 2"]

_NEAREST = 1e-3  # m; no prediction is nearer, so that a ratio exists
_FARTHEST = 10.0  # m; what a missing depth map is worth
_LONGEST = 100.0  # pixels; what a missing flow is worth


def depth_rmse(predicted: Depth, truth: Depth) -> float:
    """Returns the root-mean-square error in metres over the pixels whose depth is known (above 0).

    Raises:
      DataError: The maps differ in shape, or nothing is known.
    """
    made, true = _known_depth(predicted, truth)
    return float(np.sqrt(np.mean(np.square(made - true))))


def depth_relative(predicted: Depth, truth: Depth) -> float:
    """Returns the mean of |error| / true depth.

    Raises:
      DataError: As `depth_rmse`.
    """
    made, true = _known_depth(predicted, truth)
    return float(np.mean(np.abs(made - true) / true))


def depth_within(predicted: Depth, truth: Depth, factor: float = 1.25) -> float:
    """Returns the share of pixels whose depth is right but for a factor.

    Raises:
      DataError: As `depth_rmse`.
    """
    made, true = _known_depth(predicted, truth)
    return float(np.mean(np.maximum(made / true, true / made) < factor))


def end_point_error(predicted: Flow, truth: Flow) -> float:
    """Returns the mean distance in pixels between predicted and true flow, where the true one is known (not NaN).

    Flow that was not predicted (NaN) is taken as none.

    Raises:
      DataError: The maps differ in shape, are no [h, w, 2], or nothing is known.
    """
    made, true = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if made.shape != true.shape or true.ndim != 3 or true.shape[2] != 2:
        raise DataError(f"flow is {made.shape}, the true one {true.shape}; want equal [h, w, 2]")
    known = ~np.isnan(true).any(axis=-1)
    if not known.any():
        raise DataError("the true flow is known nowhere; leave the example out")
    return float(np.mean(np.linalg.norm(np.nan_to_num(made)[known] - true[known], axis=-1)))


def _known_depth(predicted: Depth, truth: Depth) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    made, true = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if made.shape != true.shape:
        raise DataError(f"depth is {made.shape}, the true one {true.shape}; want equal shapes")
    known = true > 0.0  # NaN is not
    if not known.any():
        raise DataError("the true depth is known nowhere (above 0); leave the example out")
    return np.maximum(np.nan_to_num(made)[known], _NEAREST), true[known]


def _mean(name: str, best: float, worst: float, each: Callable[..., float]) -> Mean:
    """Makes a metric for which a missing map is as bad as can be."""
    return Mean(name, best, worst, lambda p, t: worst if p is None else each(p, t))


IOU = Mean("mask_iou", each=masks.iou)
"""Prediction and truth: one mask [h, w]."""

BOUNDARY = Mean("boundary_iou", each=masks.boundary_iou)
"""Prediction and truth: one mask, or several that are matched one to one."""

RMSE = _mean("depth_rmse", 0.0, _FARTHEST, depth_rmse)
ABS_REL = _mean("depth_abs_rel", 0.0, 1.0, depth_relative)
DELTA = _mean("depth_delta_1.25", 1.0, 0.0, depth_within)

NORMALS = Mean("normals_11.25", each=normals.aligned_share)
NORMALS_MEAN = Mean("normals_mean", 0.0, 180.0, lambda p, t: float(normals.angles(p, t).mean()))
NORMALS_MEDIAN = Mean("normals_median", 0.0, 180.0, lambda p, t: float(np.median(normals.angles(p, t))))
"""Angles in degrees, as they are: no rotation is forgiven."""

EPE = _mean("flow_epe", 0.0, _LONGEST, end_point_error)
