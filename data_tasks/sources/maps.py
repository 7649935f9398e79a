"""What makes maps of a picture: masks from runs and polygons, depth from 16-bit pictures, flow from .flo files."""

import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.sources.media import content
from data_tasks.sources.stored import Context, Record, find
from unified_io.errors import DataError
from unified_io.preprocess import image_ops
from unified_io.preprocess.sources import is_source, opened

_FLO = b"PIEH"  # how a .flo file begins
_UNKNOWN = 1e9  # a flow that is larger is not known


@dataclasses.dataclass(frozen=True)
class Masks:
    """Draws the masks [n, h, w] of things: polygons, COCO's runs (compressed or not), or arrays [h, w].

    Attributes:
      path: Where the list is in a record, such as "annotations/segmentation".
      size: Where height and width of the picture are in a record.
    """

    path: str
    size: tuple[str, str] = ("height", "width")

    def __call__(self, record: Record, context: Context) -> Bool[np.ndarray, "n h w"]:
        height, width = (int(find(record, path)) for path in self.size)
        image_ops.check_size(height, width, "the picture")
        masks = [mask(shape, height, width) for shape in find(record, self.path)]
        return np.stack(masks) if masks else np.zeros((0, height, width), bool)


@dataclasses.dataclass(frozen=True)
class DepthMap:
    """Reads a depth map in metres; 0 is unknown.

    Attributes:
      path: Where the 16-bit picture or the array is in a record.
      unit: Metres of one step: 0.001 of millimetres, 1.0 of metres.
      folder: Folder of the files, below the dataset's own.
    """

    path: str
    unit: float = 0.001
    folder: str = ""

    def __call__(self, record: Record, context: Context) -> Float[np.ndarray, "h w"]:
        value = content(find(record, self.path), self.folder, False, context)
        grey = _grey(value) if is_source(value) else np.asarray(value)
        grey = grey[..., 0] if grey.ndim == 3 and grey.shape[-1] == 1 else grey
        if grey.ndim != 2 or not grey.size:
            raise DataError(f"a depth map of shape {list(grey.shape)}; want one number a pixel [h, w]")
        metres = grey.astype(np.float32) * np.float32(self.unit)
        return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(0.0))


@dataclasses.dataclass(frozen=True)
class Flow:
    """Reads optical flow [h, w, 2], pixels to the right and down, from the content or the name of a .flo file.

    Attributes:
      path: Where it is in a record.
      folder: Folder of the files, below the dataset's own.
    """

    path: str
    folder: str = ""

    def __call__(self, record: Record, context: Context) -> Float[np.ndarray, "h w 2"]:
        value = content(find(record, self.path), self.folder, False, context)
        return read_flow(value) if is_source(value) else np.asarray(value, np.float32)


def mask(shape: Any, height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """Draws one mask.

    Args:
      shape: Polygons [[x1, y1, x2, y2, …], …] in pixels, runs {"counts", "size"}, or an array [h, w].
      height: Of the picture.
      width: Of the picture.

    Raises:
      DataError: It is none of these, or is of another size than the picture.
    """
    if isinstance(shape, Mapping):
        if [int(side) for side in shape["size"]] != [height, width]:
            raise DataError(f"a mask of size {list(shape['size'])} for a picture of {[height, width]}")
        counts = shape["counts"]
        return runs(uncompressed(counts) if isinstance(counts, str | bytes) else counts, height, width)
    if isinstance(shape, np.ndarray):
        if shape.shape != (height, width):
            raise DataError(f"a mask of size {list(shape.shape)} for a picture of {[height, width]}")
        return shape.astype(bool)
    return polygons(shape, height, width)


def runs(counts: Sequence[int], height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """Draws runs of pixels, column by column: so many outside, so many inside, and so on.

    Raises:
      DataError: They are not as many as the picture has pixels.
    """
    lengths = np.asarray(counts, np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != height * width:
        raise DataError(
            f"runs of {lengths.sum()} pixels for a picture of {height}x{width}; is its size right?"
        )
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(width, height).T


def to_runs(drawn: Bool[np.ndarray, "h w"]) -> list[int]:
    """Returns the runs of a mask; `runs` draws it again."""
    flat = drawn.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *ends, len(flat)]).tolist()
    return [0, *lengths] if len(flat) and flat[0] else lengths


def uncompressed(letters: str | bytes) -> list[int]:
    """Reads COCO's compressed runs: five bits a letter, the sixth says that more follow.

    From the fourth number on they are differences to the last but one.

    Raises:
      DataError: A letter is none of theirs, or the last number is cut off.
    """
    counts: list[int] = []
    number, shift = 0, 0
    for letter in letters.encode() if isinstance(letters, str) else letters:
        bits = letter - 48
        if not 0 <= bits < 64 or shift > 40:
            raise DataError(f"compressed runs with the letter {chr(letter)!r}; are they COCO's?")
        number |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            number -= (bits >> 4 & 1) << shift  # the sign
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number, shift = 0, 0
    if shift:
        raise DataError("compressed runs end in the middle of a number")
    return counts


def compressed(counts: Sequence[int]) -> str:
    """Writes runs as COCO does; `uncompressed` reads them."""
    letters = []
    for place, count in enumerate(counts):
        number = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            bits, number = number & 31, number >> 5
            more = number != (-1 if bits & 16 else 0)
            letters.append(chr(48 + bits + 32 * more))
    return "".join(letters)


def polygons(shape: Any, height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """Fills polygons [[x1, y1, x2, y2, …], …] in pixels: a pixel is inside if its centre is in any of them.

    Raises:
      DataError: One has fewer than three corners, or a corner is not two finite numbers.
    """
    drawn = np.zeros((height, width), bool)
    for corners in shape:
        flat = np.asarray(corners, np.float64).ravel()
        if len(flat) < 6 or len(flat) % 2 or not np.isfinite(flat).all():
            raise DataError(f"a polygon of {len(flat)} numbers; want x and y of three or more corners")
        drawn |= _filled(flat.reshape(-1, 2), height, width)
    return drawn


def _filled(corners: Float[np.ndarray, "n 2"], height: int, width: int) -> Bool[np.ndarray, "h w"]:
    """One polygon: along a row it begins and ends where the row meets an edge."""
    turns = np.zeros((height, width + 1), np.int32)
    rows = np.arange(height) + 0.5
    for (x, y), (next_x, next_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        met = np.flatnonzero((y <= rows) != (next_y <= rows))
        if len(met):
            places = x + (rows[met] - y) * (next_x - x) / (next_y - y)
            np.add.at(turns, (met, np.clip(np.ceil(places - 0.5), 0, width).astype(int)), 1)
    return np.cumsum(turns, axis=1)[:, :width] % 2 == 1


def read_flow(value: Any) -> Float[np.ndarray, "h w 2"]:
    """Reads a .flo file, from a path or its bytes; where it is not known it is NaN-free zero.

    Raises:
      DataError: It is none, or it is cut off.
    """
    with opened(value, "an optical flow") as (name, file):
        head = file.read(12)
        width, height = (int(side) for side in np.frombuffer(head[4:].ljust(8, b"\0"), "<i4"))
        if head[:4] != _FLO or min(width, height) < 1:
            raise DataError(f"{name} is no .flo file: it begins with {head[:4]!r}")
        image_ops.check_size(height, width, name)
        flat = file.read(8 * width * height)
        if len(flat) != 8 * width * height:
            raise DataError(f"{name} ends before its {height}x{width} pixels; get it again")
        flow = np.frombuffer(flat, "<f4").reshape(height, width, 2)
        return np.where(np.abs(flow) < _UNKNOWN, flow, np.float32(0.0)).astype(np.float32)


def write_flow(path: Path, flow: Float[np.ndarray, "h w 2"]) -> None:
    """Writes a .flo file; `read_flow` reads it."""
    height, width, _ = flow.shape
    path.write_bytes(_FLO + np.array([width, height], "<i4").tobytes() + flow.astype("<f4").tobytes())


def _grey(value: Any) -> np.ndarray:
    """The numbers of a grey picture as they are stored."""
    from PIL import Image

    with opened(value, "a depth map") as (name, file):
        picture = Image.open(io.BytesIO(file.read()), formats=["PNG", "TIFF"])
        image_ops.check_size(picture.height, picture.width, name)
        if picture.mode not in ("L", "I", "I;16", "I;16B", "F"):
            raise DataError(f"{name} is a picture of mode {picture.mode}; want one grey channel")
        return np.array(picture)
