"""Small digits to smooth large images, and back. Knows pixels only."""

import functools

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError

SIZE = 8
RINGING = 0.06  # contrast is stretched by as much at both ends: enlarging overshoots beside every edge


def _overlap(fine: int, coarse: int) -> np.ndarray:
    """Returns [coarse, fine]: the share of every fine cell in the mean over a coarse one."""
    edges = np.arange(coarse + 1) * fine / coarse
    cells = np.arange(fine)
    shared = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    return np.maximum(shared, 0) * coarse / fine


def _splines(size: int) -> np.ndarray:
    """Returns [size, 8]: cubic B-splines, one centred on every small pixel, the outer ones doubled at the edges."""
    at = (np.arange(size)[:, None] + 0.5) * SIZE / size - 0.5
    knots = np.arange(-2, SIZE + 2)
    away = np.abs(at - knots)
    values = np.where(away < 1, 2 / 3 - away**2 + away**3 / 2, np.maximum(2 - away, 0) ** 3 / 6)
    return values @ np.eye(SIZE)[np.clip(knots, 0, SIZE - 1)]


@functools.lru_cache(maxsize=8)
def _enlarging(size: int) -> np.ndarray:
    fine = 16 * SIZE
    # The splines whose means over the small pixels are exactly the values of the small pixels.
    return (_splines(size) @ np.linalg.inv(_overlap(fine, SIZE) @ _splines(fine))).astype(np.float32)


def upsample(images: Float[np.ndarray, "*n 8 8"], size: int) -> Float[np.ndarray, "*n s s"]:
    """Returns smooth larger images whose mean over each small pixel is (up to clipping to [0, 1]) that pixel.

    The small images are counts of ink over 4x4 blocks of a binary scan, so this comes close to the scan itself.
    """
    if images.shape[-2:] != (SIZE, SIZE) or size < SIZE:
        raise DataError(
            f"can not upsample {images.shape[-2:]} to {size}; give {SIZE}x{SIZE} images and a size >= {SIZE}"
        )
    matrix = _enlarging(size)
    smooth = matrix @ images.astype(np.float32) @ matrix.T
    return np.clip((smooth - RINGING) / (1 - 2 * RINGING), 0, 1)


def downsample(images: Float[np.ndarray, "*n s s"], size: int = SIZE) -> Float[np.ndarray, "*n size size"]:
    """Returns the means over a coarser grid of pixels: the inverse of `upsample`."""
    matrix = _overlap(images.shape[-1], size).astype(np.float32)
    return matrix @ images.astype(np.float32) @ matrix.T
