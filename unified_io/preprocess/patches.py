"""Arrays cut into square patches and put together again; which patches of a mask are real. Pure NumPy."""

import numpy as np
from jaxtyping import Bool, Float

from unified_io.errors import DataError


def patchify(array: Float[np.ndarray, "H W C"], patch: int) -> Float[np.ndarray, "P D"]:
    """Cuts an array into patches, row-major; inside a patch (dy, dx, channel) row-major.

    Raises:
      DataError: A side is no multiple of the patch.
    """
    h, w, c = array.shape
    if h % patch or w % patch:
        raise DataError(
            f"array is {h}x{w} but patch is {patch}; pad to a multiple with image_ops.resize_and_pad"
        )
    rows = array.reshape(h // patch, patch, w // patch, patch, c)
    return rows.transpose(0, 2, 1, 3, 4).reshape(-1, patch * patch * c)


def unpatchify(
    patches: Float[np.ndarray, "P D"], patch: int, grid: tuple[int, int]
) -> Float[np.ndarray, "H W C"]:
    """Puts patches together on a grid of (rows, columns); the inverse of `patchify`."""
    blocks = patches.reshape(*grid, patch, patch, -1).transpose(0, 2, 1, 3, 4)
    return blocks.reshape(grid[0] * patch, grid[1] * patch, -1)


def patch_mask(mask: Bool[np.ndarray, "H W"], grid: tuple[int, int]) -> Bool[np.ndarray, " P"]:
    """Shrinks a pixel mask to a grid of patches by nearest neighbour at half-pixel centres, row-major.

    A patch counts as real when the pixel right below its middle does: pixel (16 i + 8, 16 j + 8) for patches of 16.
    """
    rows, columns = (
        ((np.arange(n) + 0.5) * size / n).astype(int) for n, size in zip(grid, mask.shape, strict=True)
    )
    return mask[rows[:, None], columns[None, :]].reshape(-1)
