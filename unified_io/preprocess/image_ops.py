"""Images read, resized and padded to the network's square, and back. Pure NumPy, pixels [h, w, 3] float32 in [0, 1]."""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from unified_io.errors import DataError
from unified_io.preprocess.placement import Placement
from unified_io.preprocess.sources import is_source, opened

if TYPE_CHECKING:
    from PIL import Image
    from scipy import sparse

MAX_PIXELS = 64_000_000
MAX_SIDE = 65_535  # the longest of a JPEG

# What we let Pillow decode: formats of pictures. Some others that it knows start programs (EPS), open further files, or
# hold a picture larger than they say (ICO).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")


_TIFF_TILE = (
    323,
    322,
)  # tags of its height and width; a tile is decoded whole, whatever the picture needs of it


def read(value: Any) -> Float[np.ndarray, "h w 3"]:
    """Reads an image: a path, the bytes of a file, an array (see `as_float`) or a Pillow image.

    Turned upright as its EXIF says; of an animation the first frame; what is transparent lies on white.

    Raises:
      DataError: The file is missing, too large, broken or no image; the array is none.
    """
    from PIL import Image

    if is_source(value):
        Image.init()
        with opened(value, "an image") as (name, file):
            return _decode(Image.open(file, formats=[f for f in FORMATS if f in Image.OPEN]), name)
    if isinstance(value, Image.Image):
        try:
            return _decode(value, "the image")
        # A file opened by the user is decoded only now.
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"the image can not be read: {error}") from error
    if not hasattr(value, "__array__"):
        raise DataError(
            f"{type(value).__name__} is no image; give a path, the bytes of a file, an array or a Pillow image"
        )
    return as_float(np.asarray(value))


def _decode(image: "Image.Image", name: str) -> Float[np.ndarray, "h w 3"]:
    from PIL import ImageOps

    check_size(image.height, image.width, name)  # before anything is decoded
    tile = [getattr(image, "tag_v2", {}).get(tag, 1) for tag in _TIFF_TILE]
    check_size(*tile, f"a tile of {name}")
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.mode == "I":
        return as_float(_deep(np.asarray(image), name))
    if image.mode == "F" or image.mode.startswith("I;16"):
        return as_float(np.asarray(image))
    return as_float(np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB")))


def _deep(grey: Int[np.ndarray, "h w"], name: str) -> Int[np.ndarray, "h w"]:
    """Grey of mode I: 32 bits that hold 16."""
    if grey.min(initial=0) < 0 or grey.max(initial=0) > 65535:
        raise DataError(f"{name} has 32-bit pixels from {grey.min()} to {grey.max()}; scale them to 16 bits")
    return grey.astype(np.uint16)


def check_size(height: int, width: int, name: str) -> None:
    """Raises a DataError that calls the picture `name` if it has more pixels than we take, or too long a side."""
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise DataError(
            f"{name} is {width}x{height}; the most is {MAX_PIXELS} pixels and {MAX_SIDE} a side: make it smaller"
        )


def as_float(image: Shaped[np.ndarray, "h w *channels"]) -> Float[np.ndarray, "h w 3"]:
    """Turns grey, RGB or RGBA pixels (uint8, uint16, bool, or float in [0, 1]) into float32 RGB.

    What is transparent is laid on white, as on a page: the colours below it are arbitrary, most often black, in which
    a black drawing would vanish.

    Raises:
      DataError: The array is no image, is empty or too large, or holds values outside [0, 1].
    """
    image = np.asarray(image)
    image = image[:, :, None] if image.ndim == 2 else image
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        raise DataError(
            f"expected an image [h, w], [h, w, 1], [h, w, 3] or [h, w, 4] with pixels in it, got {image.shape}"
        )
    check_size(*image.shape[:2], "the image")
    image = _unit(image)
    if image.shape[2] == 4:
        colours, alpha = image[:, :, :3], image[:, :, 3:]
        return colours * alpha + (np.float32(1.0) - alpha)
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image


def _unit(pixels: Shaped[np.ndarray, "h w C"]) -> Float[np.ndarray, "h w C"]:
    """Pixels as float32 in [0, 1]."""
    kind, width = pixels.dtype.kind, pixels.dtype.itemsize
    if kind == "b":
        return pixels.astype(np.float32)
    if kind == "u" and width <= 2:
        return pixels.astype(np.float32) * np.float32(1.0 / (2 ** (8 * width) - 1))
    if kind != "f":
        raise DataError(f"pixels are {pixels.dtype}; give uint8, uint16, bool, or floats in [0, 1]")
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
        raise DataError(
            f"float pixels must be in [0, 1], got {pixels.min()} to {pixels.max()}; divide by 255 first"
        )
    return pixels.astype(np.float32)


@functools.lru_cache(maxsize=64)
def _linear_weights(source: int, target: int) -> "sparse.csr_array":
    """Weights [target, source] of a triangle filter with antialiasing: half-pixel centres, renormalised at the borders.

    Positions are float32, as in TensorFlow, whose rounding the released models saw.
    """
    from scipy import sparse

    scale = np.float32(1.0) / (np.float32(target) / np.float32(source))
    width = max(scale, np.float32(1.0))
    centres = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * scale
    first = np.maximum(np.ceil(centres - width - np.float32(0.5)), 0).astype(int)
    last = np.minimum(np.floor(centres + width - np.float32(0.5)), source - 1).astype(int)
    starts = np.concatenate([[0], np.cumsum(last - first + 1)])
    columns = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, np.diff(starts))
    distance = columns.astype(np.float32) + np.float32(0.5) - np.repeat(centres, np.diff(starts))
    weights = np.maximum(np.float32(0.0), np.float32(1.0) - np.abs(distance * (np.float32(1.0) / width)))
    weights *= np.repeat(np.float32(1.0) / np.add.reduceat(weights, starts[:-1]), np.diff(starts))
    return sparse.csr_array((weights, columns, starts), shape=(target, source))


def resize(image: Float[np.ndarray, "h w C"], size: tuple[int, int]) -> Float[np.ndarray, "H W C"]:
    """Resizes bilinearly with antialiasing (what TensorFlow and jax.image do with antialias on)."""
    (h, w, channels), (height, width) = image.shape, size
    rows = (_linear_weights(h, height) @ image.reshape(h, -1)).reshape(height, w, channels)
    columns = _linear_weights(w, width) @ rows.swapaxes(0, 1).reshape(w, -1)
    return np.ascontiguousarray(columns.reshape(width, height, channels).swapaxes(0, 1))


def resize_nearest(
    array: Shaped[np.ndarray, "h w *C"], size: tuple[int, int]
) -> Shaped[np.ndarray, "H W *C"]:
    """Resizes by nearest neighbour at half-pixel centres (TensorFlow's rule, in float32): no new values appear."""
    rows, columns = (
        np.minimum(
            (np.arange(n, dtype=np.float32) + np.float32(0.5)) * (np.float32(side) / np.float32(n)), side - 1
        ).astype(int)
        for n, side in zip(size, array.shape, strict=False)
    )
    return array[rows[:, None], columns[None, :]]


def resize_and_pad(
    image: Float[np.ndarray, "h w 3"], size: tuple[int, int]
) -> tuple[Float[np.ndarray, "H W 3"], Bool[np.ndarray, "H W"], Placement]:
    """Fits an image into the square, keeping its aspect ratio, and pads with zeros around it.

    Returns:
      The padded image, a mask that is True on real pixels, and the placement.
    """
    placement = Placement.fit(image.shape[:2], size)
    if placement.scaled != placement.source:
        image = np.clip(resize(image, placement.scaled), 0.0, 1.0)
    return lay(image, placement), lay(np.ones(placement.scaled, bool), placement), placement


def lay(array: Shaped[np.ndarray, "h w *C"], placement: Placement) -> Shaped[np.ndarray, "H W *C"]:
    """Lays an array over the window of a placement, by nearest neighbour, and pads with zeros (False) around it."""
    if array.shape[:2] != placement.scaled:
        array = resize_nearest(array, placement.scaled)
    padded = np.zeros((*placement.size, *array.shape[2:]), array.dtype)
    padded[placement.window] = array
    return padded


def undo_resize(square: Float[np.ndarray, "S S 3"], source: tuple[int, int]) -> Float[np.ndarray, "h w 3"]:
    """Returns the picture of height and width `source` from the padded square it lies in, which may be of any size.

    Source: the released code: the square is resized by nearest neighbour to the longer side, its middle cut out.
    """
    side = max(source)
    top, left = (side - source[0]) // 2, (side - source[1]) // 2
    return resize_nearest(square, (side, side))[top : top + source[0], left : left + source[1]]
