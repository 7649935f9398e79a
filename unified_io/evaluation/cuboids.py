"""Cuboids in space against true ones: their exact overlap, and average precision. Knows metres, not cameras.

A cuboid is `{"center": m, "dims": (w, h, l) m, "rotation": 3x3, "name": …}`; a prediction may have a `"score"`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull, QhullError

from unified_io.errors import DataError
from unified_io.evaluation import ranking
from unified_io.evaluation.metric import Mean, Whole

Cuboid = Mapping[str, Any]

OMNI3D_THRESHOLDS = tuple(np.linspace(0.05, 0.5, 10))

_SIGNS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
_EDGES = np.array([[i, j] for i in range(8) for j in range(i) if np.abs(_SIGNS[i] - _SIGNS[j]).sum() == 2.0])
_SLACK = 1e-9  # of a cuboid's size; points so near to a face lie in it


def corners(cuboid: Cuboid) -> Float[np.ndarray, "8 3"]:
    """Returns the corners: width lies along the cuboid's own z axis, height along y, length along x.

    Columns of the rotation are those axes in the camera's frame.

    Raises:
      DataError: A size is negative, the rotation is none, or something is not a number.

    Source: the data of Omni3D.
    """
    centre, half, rotation = _parts(cuboid)
    return centre + (_SIGNS * half) @ rotation.T


def iou(first: Cuboid, second: Cuboid) -> float:
    """Returns the volume two cuboids share / the volume of both together, exactly, whatever way they are turned.

    The common part is convex: its corners are corners of one inside the other, and points where an edge of one goes
    through a face of the other. A cuboid without volume overlaps nothing.

    Raises:
      DataError: As `corners`.
    """
    volumes = [float(np.prod(2.0 * _parts(cuboid)[1])) for cuboid in (first, second)]
    if min(volumes) <= 0.0:
        return 0.0
    common = min(_volume(np.concatenate([_pieces(first, second), _pieces(second, first)])), *volumes)
    return common / (sum(volumes) - common)


def judged(
    predicted: Sequence[Cuboid] | None, truth: Sequence[Cuboid], thresholds: Sequence[float]
) -> dict[str, ranking.Ranked]:
    """Returns for every name in an example which of its cuboids are hits, for `ranking.mean_average_precision`.

    Without scores the first cuboid is the surest. A predicted cuboid that can not be (of negative size) hits nothing.
    """
    made = list(predicted or ())
    scores = np.array([cuboid.get("score", 1.0 / rank) for rank, cuboid in enumerate(made, 1)], np.float64)
    found = {}
    for name in dict.fromkeys(_name(cuboid) for cuboid in [*truth, *made]):
        there = [cuboid for cuboid in truth if _name(cuboid) == name]
        mine = [i for i, cuboid in enumerate(made) if _name(cuboid) == name]
        overlap = np.array([[_overlap(made[i], t) for t in there] for i in mine]).reshape(
            len(mine), len(there)
        )
        found[name] = ranking.judge(overlap, scores[mine], np.zeros(len(there), bool), thresholds)
    return found


def best_iou(predicted: Sequence[Cuboid] | None, truth: Sequence[Cuboid]) -> float:
    """Returns the overlap of the first predicted cuboid with the first true one; 0 without a prediction.

    Raises:
      DataError: There is no true one.
    """
    if not len(truth):
        raise DataError("the truth has no cuboid; leave the example out, or score it with AP3D")
    return _overlap(predicted[0], truth[0]) if predicted else 0.0


def _name(cuboid: Cuboid) -> str:
    return cuboid.get("name") or ""


def _overlap(predicted: Cuboid, truth: Cuboid) -> float:
    corners(truth)  # a truth that can not be is an error of the data, not of the model
    try:
        return iou(predicted, truth)
    except DataError:
        return 0.0


def _parts(cuboid: Cuboid) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], Float[np.ndarray, "3 3"]]:
    """Returns centre, half of the sizes along the cuboid's own x, y and z axes, and rotation."""
    centre, dims, rotation = (np.asarray(cuboid[key], np.float64) for key in ("center", "dims", "rotation"))
    shaped = centre.shape == dims.shape == (3,) and rotation.shape == (3, 3)
    if not shaped or not (dims >= 0.0).all() or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
        raise DataError(
            f"cuboid has center {centre.tolist()}, dims {dims.tolist()}, rotation {rotation.tolist()}; want 3 metres, "
            "3 sizes (w, h, l) of 0 or more, and an orthonormal 3x3 matrix"
        )
    return centre, dims[::-1] / 2.0, rotation


def _pieces(cuboid: Cuboid, other: Cuboid) -> Float[np.ndarray, "n 3"]:
    """Returns corners of a cuboid in another, and where its edges go through its faces, in the camera's frame."""
    centre, half, rotation = _parts(other)
    own = (corners(cuboid) - centre) @ rotation
    start, way = own[_EDGES[:, 0]], np.diff(own[_EDGES], axis=1)[:, 0]
    crossings = []
    for axis in range(3):
        crosses = np.abs(way[:, axis]) > 0.0
        for face in (-half[axis], half[axis]):
            share = (face - start[crosses, axis]) / way[crosses, axis]
            points = start[crosses] + share[:, None] * way[crosses]
            crossings.append(points[(share >= 0.0) & (share <= 1.0)])
    points = np.concatenate([own, *crossings])
    return points[_inside(points, half)] @ rotation.T + centre


def _inside(points: Float[np.ndarray, "n 3"], half: Float[np.ndarray, "3"]) -> Bool[np.ndarray, "n"]:
    return (np.abs(points) <= half + _SLACK * half.max()).all(axis=1)


def _volume(points: Float[np.ndarray, "n 3"]) -> float:
    if len(points) < 4:
        return 0.0
    try:
        return float(ConvexHull(points).volume)
    except QhullError:  # they touch in a face, an edge or a corner
        return 0.0


def _precision(name: str, thresholds: Sequence[float]) -> Whole:
    def prepare(predictions: Sequence[Any], truths: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        return [judged(p, t, thresholds) for p, t in zip(predictions, truths, strict=True)], truths

    return Whole(
        name, all=lambda ranked, _: float(ranking.mean_average_precision(ranked).mean()), prepare=prepare
    )


AP3D = _precision("ap3d", OMNI3D_THRESHOLDS)
"""Prediction and truth: a list of cuboids. The mean over overlaps of .05, .1, … .5, as Omni3D has it."""

AP3D_15 = _precision("ap3d_15", (0.15,))
AP3D_25 = _precision("ap3d_25", (0.25,))
AP3D_50 = _precision("ap3d_50", (0.5,))
IOU3D = Mean("iou3d", each=best_iou)
"""Of the one cuboid there is."""
