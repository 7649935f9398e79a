"""What can be said of boxes in numbers: orders to write them in, properties of one, and values of two together.

All are numbers in [0, 1] of the square that is shown, and functions of boxes (y1, x1, y2, x2). Knows no text but names.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

Box = Float[np.ndarray, "4"]

# Rows are the numbers written, columns are y1, x1, y2, x2.
_Y1, _X1, _Y2, _X2 = np.eye(4)

ORDERS: dict[str, Float[np.ndarray, "4 4"]] = {
    "y1 x1 y2 x2": np.array([_Y1, _X1, _Y2, _X2]),
    "x1 y1 x2 y2": np.array([_X1, _Y1, _X2, _Y2]),
    "x1 y1 width height": np.array([_X1, _Y1, _X2 - _X1, _Y2 - _Y1]),
    "y1 x1 height width": np.array([_Y1, _X1, _Y2 - _Y1, _X2 - _X1]),
    "center x, center y, width, height": np.array([(_X1 + _X2) / 2, (_Y1 + _Y2) / 2, _X2 - _X1, _Y2 - _Y1]),
    "top left right bottom": np.array([_Y1, _X1, _X2, _Y2]),
}
"""Name of an order -> the matrix that takes a box to the four numbers."""


def ordered(boxes: Float[np.ndarray, "n 4"], order: str) -> Float[np.ndarray, "n 4"]:
    """Returns boxes as the four numbers of an order, in [0, 1].

    ordered([[0.2, 0.1, 0.6, 0.4]], "x1 y1 width height") = [[0.1, 0.2, 0.3, 0.4]]
    """
    return np.clip(np.asarray(boxes, np.float64) @ ORDERS[order].T, 0, 1).astype(np.float32)


def unordered(values: Float[np.ndarray, "n 4"], order: str) -> Float[np.ndarray, "n 4"]:
    """Returns boxes of the four numbers of an order, clipped to the square; inverse of `ordered`."""
    boxes = np.asarray(values, np.float64) @ np.linalg.inv(ORDERS[order]).T
    return np.clip(boxes, 0, 1).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Property:
    """Something about one box.

    Attributes:
      size: How many numbers it is.
      of: Computes them.
    """

    size: int
    of: Callable[[Box], list[float]]


def _property(*numbers: Callable[[float, float, float, float], float]) -> Property:
    return Property(len(numbers), lambda box: [float(number(*map(float, box))) for number in numbers])


_TOP, _LEFT, _BOTTOM, _RIGHT = (
    lambda y1, x1, y2, x2: y1,
    lambda y1, x1, y2, x2: x1,
    lambda y1, x1, y2, x2: y2,
    lambda y1, x1, y2, x2: x2,
)
_MIDDLE_Y, _MIDDLE_X = (lambda y1, x1, y2, x2: (y1 + y2) / 2), (lambda y1, x1, y2, x2: (x1 + x2) / 2)

PROPERTIES: dict[str, Property] = {
    "width": _property(lambda y1, x1, y2, x2: x2 - x1),
    "height": _property(lambda y1, x1, y2, x2: y2 - y1),
    "area": _property(lambda y1, x1, y2, x2: (y2 - y1) * (x2 - x1)),
    "left half": _property(_TOP, _LEFT, _BOTTOM, _MIDDLE_X),
    "right half": _property(_TOP, _MIDDLE_X, _BOTTOM, _RIGHT),
    "top half": _property(_TOP, _LEFT, _MIDDLE_Y, _RIGHT),
    "bottom half": _property(_MIDDLE_Y, _LEFT, _BOTTOM, _RIGHT),
    "center": _property(_MIDDLE_Y, _MIDDLE_X),
    "distance to the left edge": _property(_LEFT),
    "distance to the right edge": _property(lambda y1, x1, y2, x2: 1 - x2),
    "distance to the top edge": _property(_TOP),
    "distance to the bottom edge": _property(lambda y1, x1, y2, x2: 1 - y2),
    "top left corner": _property(_TOP, _LEFT),
    "top right corner": _property(_TOP, _RIGHT),
    "bottom left corner": _property(_BOTTOM, _LEFT),
    "bottom right corner": _property(_BOTTOM, _RIGHT),
}
"""Distances are to the edges of the square that is shown, padding included; points are y, x."""

# What is more of a box, and by which of its properties.
COMPARED = {"larger": "area", "smaller": "area", "wider": "width", "taller": "height"}


def intersection(first: Box, second: Box) -> list[float]:
    """Returns the area that two boxes have in common."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    return [float(sides.clip(min=0).prod())]


def enclosing(first: Box, second: Box) -> list[float]:
    """Returns the smallest box around two."""
    return [*np.minimum(first[:2], second[:2]).tolist(), *np.maximum(first[2:], second[2:]).tolist()]


JOINT: dict[str, tuple[int, Callable[[Box, Box], list[float]]]] = {
    "area of the intersection": (1, intersection),
    "box around both": (4, enclosing),
}
"""Name of a value of two boxes -> how many numbers it is, and what computes it."""
