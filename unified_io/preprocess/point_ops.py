"""Clouds of points read, centred, scaled and brought to one size. Pure NumPy; points [n, 3] float32, any unit."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from unified_io.errors import DataError
from unified_io.preprocess.point_files import Surface, read_surface
from unified_io.preprocess.sources import is_source

Points = Float[np.ndarray, "n 3"]

POINTS = 8192


def prepare(value: Any, count: int = POINTS, *, seed: int = 0) -> Float[np.ndarray, "count 3"]:
    """Reads a cloud or a surface and returns `count` points of it, centred, within the unit sphere.

    Args:
      value: See `read`.
      count: Points wanted.
      seed: Of what is drawn: places on a surface, or which points of a small cloud come twice.

    Raises:
      DataError: As `read`.
    """
    surface = read(value)
    if len(surface.triangles):
        points = sample_surface(surface, count, seed=seed)
    else:
        points = sample(surface.vertices, count, seed=seed)
    return normalise(points)


def read(value: Any) -> Surface:
    """Reads points, and the triangles between them where there are any.

    Args:
      value: A path or the bytes of a `.ply`, `.obj` or `.npy` file, or an array [n, 3]. What follows the first three
        numbers of a row (colours, normals) is left out.

    Raises:
      DataError: The file is missing, empty, broken or none of these; there is no point, or one is not finite.
    """
    if is_source(value):
        return read_surface(value)
    return Surface.of(value, "the cloud")


def normalise(points: Points) -> Points:
    """Moves the mean of the points to the origin and scales the farthest to a distance of 1.

    A cloud of one place stays at the origin.

    Source: ULIP-2.
    """
    centred = points - points.mean(axis=0, dtype=np.float64)
    farthest = np.sqrt(np.square(centred).sum(axis=1).max())
    return (centred / (farthest or 1.0)).astype(np.float32)


def sample(points: Points, count: int, *, seed: int = 0) -> Float[np.ndarray, "count 3"]:
    """Returns `count` points: the farthest apart of a larger cloud, or all of a smaller one and some twice.

    Source: ULIP-2 for the larger; there the first point is drawn, here it is the first. A smaller cloud is ours.
    """
    if len(points) > count:
        return points[farthest_points(points, count)]
    extra = np.random.default_rng(seed).integers(len(points), size=count - len(points))
    return points[np.concatenate([np.arange(len(points)), extra])]


def farthest_points(points: Points, count: int, start: int = 0) -> Int[np.ndarray, " count"]:
    """Chooses points one by one, each the farthest from those chosen; returns their indices, `start` first."""
    chosen = np.full(count, start)
    distances = np.full(len(points), np.inf, points.dtype)
    columns = np.ascontiguousarray(points.T)
    for i in range(1, count):
        gaps = columns - points[chosen[i - 1], :, None]
        np.minimum(distances, np.einsum("ij,ij->j", gaps, gaps), out=distances)
        chosen[i] = distances.argmax()
    return chosen


def sample_surface(surface: Surface, count: int, *, seed: int = 0) -> Float[np.ndarray, "count 3"]:
    """Draws `count` places on the triangles, evenly over their area.

    Raises:
      DataError: The triangles have no area.
    """
    rng = np.random.default_rng(seed)
    corners = surface.vertices[surface.triangles].astype(np.float64)
    sides = corners[:, 1:] - corners[:, :1]
    areas = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    if not areas.sum() > 0:
        raise DataError(
            f"the {len(areas)} triangles have no area; give the vertices alone, as an array [n, 3], or another surface"
        )
    which = rng.choice(len(areas), size=count, p=areas / areas.sum())
    along = rng.uniform(size=(count, 2, 1))
    # a point beyond the diagonal of the parallelogram is turned back into the triangle
    along = np.where(along.sum(axis=1, keepdims=True) > 1, 1 - along, along)
    return (corners[which, 0] + (sides[which] * along).sum(axis=1)).astype(np.float32)
