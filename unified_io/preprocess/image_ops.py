"""Images resized and padded to the network's square, and back. Pure NumPy, pixels [h, w, 3] float32 in [0, 1]."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from unified_io.errors import DataError

MAX_PIXELS = 64_000_000


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where a source image ended up in the padded square; enough to undo it.

    Attributes:
      source: Height and width of the source image, pixels.
      scaled: Height and width after scaling.
      top: Rows of padding above.
      left: Columns of padding to the left.
    """

    source: tuple[int, int]
    scaled: tuple[int, int]
    top: int
    left: int


def as_float(image: np.ndarray) -> Float[np.ndarray, "h w 3"]:
    """Turns grey, RGB or RGBA pixels (uint8 or float in [0, 1]) into float32 RGB.

    Raises:
      DataError: The array is no image, is empty, or holds values outside [0, 1].
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        raise DataError(
            f"expected an image [h, w], [h, w, 3] or [h, w, 4] with pixels in it, got {image.shape}"
        )
    image = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[:, :, :3]
    if image.dtype == np.uint8:
        return image.astype(np.float32) / 255.0
    image = image.astype(np.float32)
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise DataError(
            f"float pixels must be in [0, 1], got {image.min()} to {image.max()}; divide by 255 first"
        )
    return image


@functools.lru_cache(maxsize=64)
def _linear_weights(source: int, target: int) -> Float[np.ndarray, "target source"]:
    """Triangle-filter weights with antialiasing, half-pixel centres, renormalised at the borders."""
    scale = source / target
    width = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale - 0.5
    distance = np.abs(centres[:, None] - np.arange(source)[None, :]) / width
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def resize(image: Float[np.ndarray, "h w C"], size: tuple[int, int]) -> Float[np.ndarray, "H W C"]:
    """Resizes bilinearly with antialiasing (what TensorFlow and jax.image do with antialias on)."""
    rows = np.tensordot(_linear_weights(image.shape[0], size[0]), image, axes=(1, 0))
    return np.ascontiguousarray(
        np.tensordot(_linear_weights(image.shape[1], size[1]), rows, axes=(1, 1)).swapaxes(0, 1)
    )


def resize_and_pad(
    image: Float[np.ndarray, "h w 3"], size: tuple[int, int]
) -> tuple[Float[np.ndarray, "H W 3"], Bool[np.ndarray, "H W"], Placement]:
    """Fits an image into the square, keeping its aspect ratio, and pads with zeros around it.

    Returns:
      The padded image, a mask that is True on real pixels, and the placement.

    Source: the released evaluation preprocessing; sides are truncated in float32 and can be one pixel short.
    """
    h, w = image.shape[:2]
    scale = np.float32(min(np.float32(size[0]) / np.float32(h), np.float32(size[1]) / np.float32(w)))
    scaled = tuple(max(1, int(np.float32(side) * scale)) for side in (h, w))
    top, left = (size[0] - scaled[0]) // 2, (size[1] - scaled[1]) // 2
    padded = np.zeros((*size, 3), np.float32)
    mask = np.zeros(size, bool)
    window = (slice(top, top + scaled[0]), slice(left, left + scaled[1]))
    padded[window] = image if scaled == (h, w) else np.clip(resize(image, scaled), 0.0, 1.0)
    mask[window] = True
    return padded, mask, Placement((h, w), scaled, top, left)


def undo_resize(padded: Float[np.ndarray, "H W 3"], placement: Placement) -> Float[np.ndarray, "h w 3"]:
    """Cuts the padding off and scales back to the source size; the inverse of `resize_and_pad` up to resampling."""
    top, left, (height, width) = placement.top, placement.left, placement.scaled
    window = padded[top : top + height, left : left + width]
    return (
        window
        if placement.scaled == placement.source
        else np.clip(resize(window, placement.source), 0.0, 1.0)
    )


def read(value: Any) -> Float[np.ndarray, "h w 3"]:
    """Reads an image from a path, a Pillow image or an array, turned upright as its EXIF says.

    Raises:
      DataError: The file is missing, too large or no image.
    """
    if isinstance(value, np.ndarray):
        return as_float(value)
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not isinstance(value, Image.Image):
        path = Path(value)
        if not path.is_file():
            raise DataError(f"no image at {str(path)!r}; give a path to a PNG or JPEG file")
        try:
            value = Image.open(path)
            if value.width * value.height > MAX_PIXELS:
                raise DataError(
                    f"{path.name} is {value.width}x{value.height}; the most is {MAX_PIXELS} pixels"
                )
            value.load()
        except (UnidentifiedImageError, OSError) as error:
            raise DataError(f"{str(path)!r} can not be read as an image: {error}") from error
    value = ImageOps.exif_transpose(value)
    if value.mode.startswith(("I", "F")):
        # 16-bit grey would be clipped, not scaled, by convert
        pixels = np.asarray(value, np.float32)
        return as_float(np.clip(pixels / max(65535.0 if value.mode.startswith("I") else 1.0, 1.0), 0.0, 1.0))
    return as_float(np.asarray(value.convert("RGB")))
