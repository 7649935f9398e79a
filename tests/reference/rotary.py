"""Angles of places, the turn they give to pairs of a head, and the fixed sine and cosine table of the audio codec."""

import numpy as np

BASE = 10000.0


def angles_1d(places: np.ndarray, head_dim: int) -> np.ndarray:
    """Angles [..., head_dim / 2] of numbered places: place / BASE^(2i / head_dim)."""
    i = np.arange(head_dim // 2, dtype=places.dtype)
    return places[..., None] * BASE ** (-2 * i / head_dim)


def angles_2d(rows: np.ndarray, columns: np.ndarray, head_dim: int) -> np.ndarray:
    """Angles [..., head_dim / 2] of places of a grid: half of the pairs says the row, the other the column."""
    return np.concatenate([angles_1d(rows, head_dim // 2), angles_1d(columns, head_dim // 2)], axis=-1)


def grid_angles(index: np.ndarray, columns: int, head_dim: int, scale: float = 1.0) -> np.ndarray:
    """`angles_2d` of places numbered row by row; coordinates are multiplied by `scale`."""
    return angles_2d(index // columns * scale, index % columns * scale, head_dim)


def turn(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Turns the pairs (2i, 2i+1) of heads [B, H, L, head_dim] by angles [B, L, head_dim / 2]."""
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    a, b = x[..., ::2], x[..., 1::2]
    return np.stack([a * cos - b * sin, b * cos + a * sin], axis=-1).reshape(x.shape)


def side_by_side(angles: np.ndarray) -> np.ndarray:
    """Cosine and sine of every angle, one beside the other: [..., head_dim]."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(*angles.shape[:-1], -1)


def sines_and_cosines(rows: int, columns: int, width: int, dtype: np.dtype) -> np.ndarray:
    """A fixed table [rows * columns, width]: half of the width says the column, the other half the row."""
    k = np.arange(width // 4, dtype=dtype)
    index = np.arange(rows * columns)
    halves = []
    for coordinate in (index % columns, index // columns):
        angles = coordinate.astype(dtype)[:, None] * BASE ** (-k / (width // 4))
        halves += [np.sin(angles), np.cos(angles)]
    return np.concatenate(halves, axis=-1)
