"""Position tables of encoders that others trained: resized as PyTorch does, or sines as in the first transformer."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_SHARPNESS = -0.75  # of the cubic in PyTorch; that of `jax.image.resize` is -0.5


def resize(
    table: Float[Array, "G W"], grid: tuple[int, int], new_grid: tuple[int, int]
) -> Float[Array, "P W"]:
    """Resizes a row-major table from `grid` to `new_grid`: bicubic, half-pixel centres, no anti-aliasing.

    Source: what `torch.nn.functional.interpolate(mode="bicubic", align_corners=False)` computes, by which ViTs that
    were trained in PyTorch were moved to other resolutions.
    """
    if grid == new_grid:
        return table
    rows, columns = (jnp.asarray(_weights(*sides)) for sides in zip(grid, new_grid, strict=True))
    width = table.shape[-1]
    grown = jnp.einsum("ih,jw,hwd->ijd", rows, columns, table.reshape(*grid, width))
    return grown.reshape(-1, width)


def _weights(source: int, target: int) -> Float[np.ndarray, "target source"]:
    """How much of each old place is in each new one; what would lie outside is the place at the border."""
    centres = (np.arange(target) + 0.5) * (source / target) - 0.5
    first = np.floor(centres).astype(int)
    weights = np.zeros((target, source))
    for offset in range(-1, 3):
        place = np.clip(first + offset, 0, source - 1)
        np.add.at(weights, (np.arange(target), place), _cubic(np.abs(centres - first - offset)))
    return weights.astype(np.float32)


def _cubic(distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The two pieces of the cubic convolution kernel, up to a distance of 1 and of 2."""
    a, d = _SHARPNESS, distance
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, far)


def sines(length: int, width: int) -> Float[np.ndarray, "length width"]:
    """Sines (even channels) and cosines (odd) of wavelengths from 2 pi to 10,000 times that."""
    channels = np.arange(width)
    angles = np.arange(length)[:, None] / 10_000.0 ** (2 * (channels // 2) / width)
    return np.where(channels % 2, np.cos(angles), np.sin(angles)).astype(np.float32)
