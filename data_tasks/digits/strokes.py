"""Pen trajectories: from the image of a digit to few pen points, and from pen points back to an image.

A trajectory is float32 [n, 3], rows (y, x, pen): pen 1 draws a line from the point before, pen 0 moves there. y and x
are in [0, 1] and lie on a grid of 32 levels, so that few location tokens have to be learnt.
"""

import hashlib
import os

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter

from data_tasks.digits import skeleton
from data_tasks.digits.cache import cached, code
from unified_io.errors import DataError

GRID = 32
MAX_POINTS = 12
# Fitted on training and validation rows, to what the image judge reads in the drawn trajectories.
BRUSH, BLUR = 0.085, 0.08  # half the width of a line, and how far its edge fades; shares of the canvas
THRESHOLDS = ((0.4, 1.1), (0.5, 0.0))  # ink is above both the level and so many times its blurred surroundings
POINT_PRICE = 3.0  # what a point must save of squared distance to the skeleton, in steps of the grid
LENGTH_PRICE = 0.001  # what a point must save of mean squared error of the drawn image


def snap(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Returns pen points moved to the nearest level of the grid: 1/64, 3/64 ... 63/64."""
    snapped = np.array(points, np.float32)
    snapped[:, :2] = (np.clip(np.floor(snapped[:, :2] * GRID), 0, GRID - 1) + 0.5) / GRID
    return snapped


def extract(image: Float[np.ndarray, "s s"], max_points: int = MAX_POINTS) -> Float[np.ndarray, "n 3"]:
    """Returns the pen trajectory that could have written a digit.

    The ink is thinned to a skeleton, walked through in few strokes, and simplified to corner points. Of two
    thresholds the one is kept whose trajectory, drawn again, looks more like the image.

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
        raise DataError(f"image is {image.shape}; enlarge it to 32x32 with images.upsample before extracting strokes")
    surroundings = gaussian_filter(image, size / 8)
    found = [_points(image > np.maximum(level, local * surroundings), max_points) for level, local in THRESHOLDS]
    return min(found, key=lambda points: np.mean((render(points, size) - image) ** 2) + LENGTH_PRICE * len(points))


def extract_all(
    images: Float[np.ndarray, "n s s"], cache_dir: str | os.PathLike | None = None, max_points: int = MAX_POINTS
) -> list[Float[np.ndarray, "_ 3"]]:
    """Returns `extract` of every image, kept in `cache_dir` between runs."""

    def build() -> dict[str, np.ndarray]:
        found = [extract(image, max_points) for image in images]
        return {"points": np.concatenate(found), "ends": np.cumsum([len(points) for points in found])}

    depends_on = {
        "images": hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest(),
        "max_points": max_points,
        "code": code(__file__, skeleton.__file__),
    }
    stored = cached(cache_dir, "strokes", depends_on, build)
    return np.split(stored["points"], stored["ends"][:-1])


def render(points: Float[np.ndarray, "n 3"], size: int) -> Float[np.ndarray, "size size"]:
    """Returns the image that a pen leaves: ink 1 on ground 0, the inverse of `extract`.

    Coordinates outside [0, 1] draw outside the image; the pen of the first point does not matter.
    """
    if len(points) < 2 or not (drawn := np.flatnonzero(points[1:, 2] > 0.5)).size:
        return np.zeros((size, size), np.float32)
    points = points.astype(np.float32)
    begin, line = points[drawn, :2], points[drawn + 1, :2] - points[drawn, :2]
    line_y, line_x = line[:, :1, None], line[:, 1:, None]
    centres = (np.arange(size, dtype=np.float32) + 0.5) / size
    y, x = centres[None, :, None] - begin[:, :1, None], centres[None, None, :] - begin[:, 1:, None]
    along = np.clip((y * line_y + x * line_x) / np.maximum(line_y**2 + line_x**2, 1e-9), 0, 1)
    distance = np.sqrt(np.min((y - along * line_y) ** 2 + (x - along * line_x) ** 2, axis=0))
    return np.clip((BRUSH - distance) / BLUR + 0.5, 0, 1)


def _points(ink: np.ndarray, max_points: int) -> np.ndarray:
    size = ink.shape[0]
    step = size / GRID
    paths = [path for path in skeleton.trace(ink, spur=round(4 * step)) if len(path) > 2 * step]
    # A closed loop needs three points, so more strokes than this can not be drawn; the longest say most.
    longest = sorted(paths, key=len, reverse=True)[: max_points // 3]
    paths = [np.array(path, float) for path in paths if path in longest]
    price = POINT_PRICE * step**2
    corners = [_corners(path, price) for path in paths]
    while sum(map(len, corners)) > max_points:
        price *= 1.3
        corners = [_corners(path, price) for path in paths]
    points = [
        np.column_stack([(path[kept] + 0.5) / size, np.arange(len(kept)) > 0])
        for path, kept in zip(paths, corners, strict=True)
    ]
    return snap(np.concatenate(points or [np.zeros((0, 3))]))


def _corners(path: np.ndarray, price: float) -> list[int]:
    """Returns which pixels of a path to keep, ends included.

    Exactly the choice with the least sum of squared distances from every pixel to its line, plus a price a line.
    """
    n = len(path)
    y, x = path.T
    sums = np.zeros((n + 1, 5))
    sums[1:] = np.cumsum(np.column_stack([y, x, y * y, x * x, y * x]), axis=0)
    first, last = np.triu_indices(n, 1)
    # From sums over a stretch of the path to sums of squares about its first pixel, then across its line.
    many = last - first + 1
    sum_y, sum_x, sum_yy, sum_xx, sum_yx = (sums[last + 1] - sums[first]).T
    y0, x0 = y[first], x[first]
    sum_yy += many * y0**2 - 2 * y0 * sum_y
    sum_xx += many * x0**2 - 2 * x0 * sum_x
    sum_yx += many * y0 * x0 - y0 * sum_x - x0 * sum_y
    dy, dx = y[last] - y0, x[last] - x0
    length = dy**2 + dx**2
    across = (dx**2 * sum_yy + dy**2 * sum_xx - 2 * dx * dy * sum_yx) / np.maximum(length, 1)
    error = np.full((n, n), np.inf)
    error[first, last] = np.where(length > 0, across, np.inf)

    best, before = np.zeros(n), np.zeros(n, int)
    for pixel in range(1, n):
        total = best[:pixel] + error[:pixel, pixel] + price
        before[pixel] = total.argmin()
        best[pixel] = total[before[pixel]]
    kept = [n - 1]
    while kept[-1]:
        kept.append(int(before[kept[-1]]))
    return kept[::-1]
