"""Pen trajectories: from the image of a digit to few pen points, and from pen points back to an image.

A trajectory is float32 [n, 3], rows (y, x, pen): pen 1 draws a line from the point before, pen 0 moves there. y and x
are in [0, 1] and lie on a grid of 32 levels, so that few location tokens have to be learnt.
"""

import hashlib
import os

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from data_tasks.digits import polyline, resample, skeleton
from data_tasks.digits.cache import cached, code
from data_tasks.digits.polyline import corners
from data_tasks.digits.resample import downsample
from unified_io.errors import DataError

GRID = 32
MAX_POINTS = 12
# Fitted on training and validation rows, to what the image judge reads in the drawn trajectories.
BRUSH, BLUR = 0.085, 0.1  # half the width of a line, and how far its edge fades; shares of the canvas
# Ink is above both a level and so many times its blurred surroundings.
THRESHOLDS = ((0.4, 1.3), (0.5, 0.0))
POINT_PRICE = 4.0  # what a point must save of squared distance to the skeleton, in steps of the grid
LENGTH_PRICE = 0.001  # what a point must save of mean squared error of the drawn image
SETTLE_SIZE, SETTLE_STEPS, STIFFNESS = 16, 3, 2.0


def snap(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Returns pen points moved to the nearest level of the grid: 1/64, 3/64 ... 63/64."""
    snapped = np.array(points, np.float32)
    snapped[:, :2] = (np.clip(np.floor(snapped[:, :2] * GRID), 0, GRID - 1) + 0.5) / GRID
    return snapped


def extract(image: Float[np.ndarray, "s s"], max_points: int = MAX_POINTS) -> Float[np.ndarray, "n 3"]:
    """Returns the pen trajectory that could have written a digit.

    The ink is thinned to a skeleton, walked through in few strokes, and simplified to corner points. Of two
    thresholds the one is kept whose trajectory, drawn again, looks more like the image; then its points are moved
    to where the drawing fits best, and onto the grid.

    Args:
      image: An enlarged digit (`images.upsample`), ink 1 on ground 0; 32x32 is meant, 24x24 the least.
      max_points: Points at most, at least 3.

    Returns:
      Between 0 (no ink) and `max_points` points; the first has pen 0.

    Raises:
      DataError: The image is too small to thin.
    """
    size = image.shape[0]
    if size < 24 or image.shape != (size, size):
        raise DataError(
            f"image is {image.shape}; enlarge it to 32x32 with images.upsample before extracting strokes"
        )
    surroundings = gaussian_filter(image, size / 8)
    inks = [image > np.maximum(level, share * surroundings) for level, share in THRESHOLDS]

    def badness(points: np.ndarray) -> float:
        return np.mean((render(points, size) - image) ** 2) + LENGTH_PRICE * len(points)

    best = min([_points(ink, max_points) for ink in inks], key=badness)
    return snap(_settle(best, image))


def extract_all(
    images: Float[np.ndarray, "n s s"],
    cache_dir: str | os.PathLike | None = None,
    max_points: int = MAX_POINTS,
) -> list[Float[np.ndarray, "_ 3"]]:
    """Returns `extract` of every image, kept in `cache_dir` between runs."""

    def build() -> dict[str, np.ndarray]:
        found = [extract(image, max_points) for image in images]
        return {"points": np.concatenate(found), "ends": np.cumsum([len(points) for points in found])}

    depends_on = {
        "images": hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
        "max_points": max_points,
        "code": code(__file__, skeleton.__file__, polyline.__file__, resample.__file__),
    }
    stored = cached(cache_dir, "strokes", depends_on, build)
    return np.split(stored["points"], stored["ends"][:-1])


def render(points: Float[np.ndarray, "n 3"], size: int) -> Float[np.ndarray, "size size"]:
    """Returns the image that a pen leaves: ink 1 on ground 0, the inverse of `extract`.

    Coordinates outside [0, 1] draw outside the image; the pen of the first point does not matter.
    """
    return _draw(np.asarray(points, np.float32)[None], size)[0]


def _draw(points: np.ndarray, size: int) -> np.ndarray:
    """Draws many trajectories [k, n, 3] with the same pens; returns [k, size, size]."""
    drawn = np.flatnonzero(points[0, 1:, 2] > 0.5)
    if not drawn.size:
        return np.zeros((len(points), size, size), np.float32)
    begin, line = points[:, drawn, :2], points[:, drawn + 1, :2] - points[:, drawn, :2]
    begin, line = begin[..., None, None], line[..., None, None]
    line_y, line_x = line[:, :, 0], line[:, :, 1]
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    y, x = centres[:, None] - begin[:, :, 0], centres - begin[:, :, 1]
    along = np.clip((y * line_y + x * line_x) / np.maximum(line_y**2 + line_x**2, 1e-9), 0, 1)
    distance = np.sqrt(np.min((y - along * line_y) ** 2 + (x - along * line_x) ** 2, axis=1))
    return np.clip((BRUSH - distance) / BLUR + 0.5, 0, 1)


def _settle(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Moves points downhill in the squared error of their drawing, by damped Gauss-Newton on a coarse image."""
    size, coordinates = SETTLE_SIZE, 2 * len(points)
    target = downsample(image, size).ravel()
    nudges = np.zeros((coordinates + 1, len(points), 3), np.float32)
    nudges[np.arange(coordinates), np.arange(coordinates) // 2, np.arange(coordinates) % 2] = 1 / GRID
    for _ in range(SETTLE_STEPS if len(points) else 0):
        *nudged, drawn = _draw(points + nudges, size).reshape(coordinates + 1, -1)
        slopes = (np.stack(nudged) - drawn) * GRID
        damped = slopes @ slopes.T + STIFFNESS * np.eye(coordinates, dtype=np.float32)
        step = np.clip(np.linalg.solve(damped, slopes @ (target - drawn)), -2 / GRID, 2 / GRID)
        moved = points.copy()
        moved[:, :2] = np.clip(points[:, :2] + step.reshape(-1, 2), 0, 1)
        if np.sum((render(moved, size).ravel() - target) ** 2) >= np.sum((drawn - target) ** 2):
            break
        points = moved
    return points


def _points(ink: np.ndarray, max_points: int) -> np.ndarray:
    """Returns the corner points of the skeleton of some ink."""
    size = ink.shape[0]
    step = size / GRID
    paths = [path for path in skeleton.trace(ink, spur=round(4 * step)) if len(path) > 2 * step]
    # A closed loop needs three points, so more strokes than this can not be drawn; the longest say most.
    longest = sorted(paths, key=len, reverse=True)[: max_points // 3]
    paths = [np.array(path, float) for path in paths if path in longest]
    price = POINT_PRICE * step**2
    kept = [corners(path, price) for path in paths]
    while sum(map(len, kept)) > max_points:
        price *= 1.3
        kept = [corners(path, price) for path in paths]
    points = [
        np.column_stack([(path[corner] + 0.5) / size, np.arange(len(corner)) > 0])
        for path, corner in zip(paths, kept, strict=True)
    ]
    return np.concatenate(points or [np.zeros((0, 3))]).astype(np.float32)
