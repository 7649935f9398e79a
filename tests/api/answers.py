"""What a network may answer, made by hand for the picture of the fixtures: boxes as words, painted squares."""

import numpy as np

from unified_io.structures import boxes_to_text

BIN = 21 / 999 + 0.01
"""Pixels that a location token is worth."""


def in_square(box, size=(9, 21), side=16) -> list[float]:
    """Pixels of the picture (y1, x1, y2, x2) as numbers in [0, 1] of the padded square."""
    scale = side / max(size)
    top, left = ((side - int(length * scale)) // 2 for length in size)
    return [(value * scale + pad) / side for value, pad in zip(box, (top, left, top, left), strict=True)]


def words(*boxes, labels=None) -> str:
    """Boxes in pixels as location tokens."""
    return boxes_to_text(np.array([in_square(box) for box in boxes], np.float32), labels)


def painted(left, right) -> np.ndarray:
    """What the tokenizer gives for a square with two halves of one colour each, RGB in [0, 1]."""
    square = np.zeros((8, 8, 3))
    square[:, :4], square[:, 4:] = left, right
    return square * 2 - 1
