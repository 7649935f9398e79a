"""Flat outlines of the toy world's shapes, for pictures from above. Knows pixels only."""

import functools

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.toy.scene import SHAPES
from unified_io.errors import unknown


@functools.lru_cache(maxsize=512)
def silhouette(shape: str, side: int, turn: float = 0.0) -> Bool[np.ndarray, "side side"]:
    """Returns the pixels of a shape that fills a square. Treat the array as read-only.

    Args:
      shape: One of SHAPES.
      side: Rows and columns.
      turn: Turned to the right by so much, radians.

    Raises:
      ConfigError: There is no such shape.
    """
    if shape not in SHAPES:
        raise unknown("shape", shape, SHAPES)
    steps = (np.arange(side) + 0.5) / side * 2 - 1
    down, right = np.meshgrid(steps, steps, indexing="ij")
    y = np.cos(turn) * down - np.sin(turn) * right
    x = np.sin(turn) * down + np.cos(turn) * right
    inside = {
        "sphere": x**2 + y**2 < 0.8,
        "cube": np.maximum(abs(x), abs(y)) < 0.75,
        "cylinder": (x**2 + y**2 < 0.8) & (x**2 + y**2 > 0.2),
        "cone": (y < 0.7) & (abs(x) < 0.5 * (y + 0.9)),
        "pyramid": abs(x) + abs(y) < 0.95,
        "capsule": np.hypot(x, np.maximum(abs(y) - 0.5, 0)) < 0.42,
    }[shape]
    inside.setflags(write=False)
    return inside


def paint(
    picture: Float[np.ndarray, "h w 3"],
    mask: Bool[np.ndarray, "a b"],
    middle: tuple[float, float],
    colour: tuple[float, float, float],
) -> None:
    """Paints a mask into a picture, its middle (y, x) in pixels; what lies beyond the edge is left out."""
    rows, columns = np.nonzero(mask)
    rows = rows + round(middle[0] - mask.shape[0] / 2)
    columns = columns + round(middle[1] - mask.shape[1] / 2)
    seen = (rows >= 0) & (rows < picture.shape[0]) & (columns >= 0) & (columns < picture.shape[1])
    picture[rows[seen], columns[seen]] = colour
