"""What makes raw fields of records: files opened, boxes turned, classes named. Each is given a record and its context."""

import base64
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.sources.stored import Context, Record, find
from unified_io.errors import DataError
from unified_io.mel import log_mel
from unified_io.preprocess import image_ops, sound


@dataclasses.dataclass(frozen=True)
class Picture:
    """Reads a picture: bytes, an array, or the name of a file below the dataset's folder.

    Attributes:
      path: Where it is in a record.
      folder: Folder of the files, below the dataset's own; {split} in it is the split.
      encoded: Whether the bytes are written in base64.
    """

    path: str
    folder: str = ""
    encoded: bool = False

    def __call__(self, record: Record, context: Context) -> np.ndarray:
        return image_ops.read(_media(find(record, self.path), self.folder, self.encoded, context))


@dataclasses.dataclass(frozen=True)
class Sound:
    """Reads a sound as log-mel of the current segment, the last one; `history` gives those before it.

    Attributes:
      path: Where its bytes, samples or file name are in a record.
      folder: As in `Picture`.
      rate: Sample rate in Hz of samples; None reads it from the file.
      history: Whether to give the earlier segments.
      most: Earlier segments at the most.
    """

    path: str
    folder: str = ""
    rate: int | None = None
    history: bool = False
    most: int = 4

    def __call__(self, record: Record, context: Context) -> Any:
        mel = context.reading.mel
        value = _media(find(record, self.path), self.folder, False, context)
        if self.rate is not None and not isinstance(value, bytes | Path):
            value = (np.asarray(value), self.rate)
        cut = sound.segments(sound.read(value, mel.sample_rate), mel)
        if not len(cut):
            raise DataError("the sound is empty")
        if self.history:
            return [log_mel(segment, mel) for segment in cut[:-1][-self.most :]]
        return log_mel(cut[-1], mel)


@dataclasses.dataclass(frozen=True)
class Boxes:
    """Turns boxes into (y1, x1, y2, x2) in [0, 1], clipped to the picture.

    Attributes:
      path: Where they are in a record.
      order: "xywh", "xyxy", "yxyx" or "yxhw".
      size: Where height and width are in a record, where boxes are in pixels; None where they are in [0, 1].
    """

    path: str
    order: str = "xywh"
    size: tuple[str, str] | None = None

    def __call__(self, record: Record, context: Context) -> Float[np.ndarray, "n 4"]:
        size = None if self.size is None else tuple(float(find(record, path)) for path in self.size)
        return boxes(find(record, self.path), self.order, size)


def boxes(values: Any, order: str, size: tuple[float, float] | None = None) -> Float[np.ndarray, "n 4"]:
    """Returns boxes as (y1, x1, y2, x2) in [0, 1], clipped to the picture.

        boxes([[10, 20, 30, 40]], "xywh", (100, 200)) = [[0.2, 0.05, 0.6, 0.2]]

    Args:
      values: Boxes, four numbers each.
      order: "xywh", "xyxy", "yxyx" or "yxhw".
      size: Height and width of the picture where they are in pixels.
    """
    given = np.asarray(values, np.float64).reshape(-1, 4)
    if order not in ("xywh", "xyxy", "yxyx", "yxhw"):
        raise DataError(f"boxes in the order {order!r}; give xywh, xyxy, yxyx or yxhw")
    first, second = given[:, :2], given[:, 2:]
    second = first + second if order in ("xywh", "yxhw") else second
    if order.startswith("x"):
        first, second = first[:, ::-1], second[:, ::-1]
    scale = np.ones(2) if size is None else np.asarray(size, np.float64)
    return np.clip(np.concatenate([first / scale, second / scale], axis=1), 0.0, 1.0).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Named:
    """Names classes that are stored as numbers.

    Attributes:
      path: Where the number, or the list of them, is in a record.
      names: The names in order.
    """

    path: str
    names: Sequence[str]

    def __call__(self, record: Record, context: Context) -> Any:
        value = find(record, self.path)
        if np.ndim(value):
            return [self._name(one) for one in value]
        return self._name(value)

    def _name(self, number: Any) -> str:
        if not 0 <= int(number) < len(self.names):
            raise DataError(f"class {number} of {len(self.names)}; look at the list of names")
        return self.names[int(number)]


@dataclasses.dataclass(frozen=True)
class Constant:
    """The same for every record, such as the names of a closed set."""

    value: Any

    def __call__(self, record: Record, context: Context) -> Any:
        return self.value


def _media(value: Any, folder: str, encoded: bool, context: Context) -> Any:
    """The content of a medium, or the path of its file, which must lie within the dataset's folder.

    Raises:
      DataError: The file would lie elsewhere.
    """
    if isinstance(value, dict):  # as Hugging Face stores media: {"bytes", "path"}
        value = value.get("bytes") or value.get("path")
    if encoded:
        return base64.b64decode(value, validate=True)
    if not isinstance(value, str):
        return value
    base = (context.folder / folder.format(split=context.split)).resolve()
    path = (base / value).resolve()
    if not path.is_relative_to(context.folder.resolve()):
        raise DataError(f"the file {value!r} lies outside of the dataset's folder")
    return path
