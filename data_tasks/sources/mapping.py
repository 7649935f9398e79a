"""What makes raw fields of records: files opened, boxes turned, classes named; given a record and its context."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from data_tasks.sources.clips import Frames, Soundtrack
from data_tasks.sources.maps import DepthMap, Flow, Masks
from data_tasks.sources.media import content
from data_tasks.sources.stored import Context, Record, find
from data_tasks.sources.texts import ClassFile, Cleaned, Decoded, Joined, Picked
from unified_io.errors import ConfigError, DataError
from unified_io.mel import MelConfig, log_mel
from unified_io.preprocess import image_ops, sound

__all__ = [
    "Boxes",
    "ClassFile",
    "Cleaned",
    "Constant",
    "Decoded",
    "DepthMap",
    "Flow",
    "Frames",
    "Joined",
    "Masks",
    "Named",
    "Picked",
    "Picture",
    "Sound",
    "Soundtrack",
    "boxes",
    "heard",
]

_BESIDE = 0.01  # of a side; boxes drawn by hand reach a little over


@dataclasses.dataclass(frozen=True)
class Picture:
    """Reads a picture: bytes, an array, or the name of a file below the dataset's folder.

    Attributes:
      path: Where it is in a record.
      folder: Folder of the files, below the dataset's own; {split} in it is the split.
      encoded: Whether the bytes are written in base64.
      name: How a file is named after what is there, where that is no name yet, such as "{:012d}.jpg" after a number.
    """

    path: str
    folder: str = ""
    encoded: bool = False
    name: str | None = None

    def __call__(self, record: Record, context: Context) -> np.ndarray:
        value = find(record, self.path)
        if self.name is not None:
            value = self.name.format(value)
        return image_ops.read(content(value, self.folder, self.encoded, context))


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
        value = content(find(record, self.path), self.folder, False, context)
        if self.rate is not None and not isinstance(value, bytes | Path):
            value = (_narrow(np.asarray(value)), self.rate)
        return heard(sound.read(value, mel.sample_rate), mel, self.history, self.most)


def heard(waveform: Float[np.ndarray, " n"], mel: MelConfig, history: bool, most: int) -> Any:
    """Returns the log-mel of the last segment of a sound, or those of the segments before it.

    Args:
      waveform: Sound at `mel.sample_rate` Hz.
      mel: How spectrograms are taken.
      history: Whether to give the earlier segments.
      most: Earlier segments at the most.

    Raises:
      DataError: The sound is empty.
    """
    cut = sound.segments(waveform, mel)
    if not len(cut):
        raise DataError("the sound is empty")
    if history:
        return [log_mel(segment, mel) for segment in cut[:-1][max(len(cut) - 1 - most, 0) :]]
    return log_mel(cut[-1], mel)


def _narrow(samples: Shaped[np.ndarray, "n *channels"]) -> Shaped[np.ndarray, "n *channels"]:
    """Samples that are stored in 64 bits, as tfds does, in the 16 or 32 that they fill."""
    if samples.dtype != np.int64:
        return samples
    return samples.astype(np.int16 if np.abs(samples).max(initial=0) < 2**15 else np.int32)


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

    Raises:
      DataError: One is not four finite numbers, or lies outside of the picture.
      ConfigError: There is no such order.
    """
    if order not in ("xywh", "xyxy", "yxyx", "yxhw"):
        raise ConfigError(f"boxes in the order {order!r}; give xywh, xyxy, yxyx or yxhw")
    given = np.asarray(values, np.float64)
    if given.size % 4 or (given.size and given.shape[-1] != 4):
        raise DataError(f"boxes of shape {list(given.shape)}; want four numbers each")
    given = given.reshape(-1, 4)
    if not np.isfinite(given).all():
        raise DataError("a box holds NaN or infinity")
    if size is not None and min(size) <= 0:
        raise DataError(f"a picture of size {size}; want its height and width in pixels")
    first, second = given[:, :2], given[:, 2:]
    second = first + second if order in ("xywh", "yxhw") else second
    if order.startswith("x"):
        first, second = first[:, ::-1], second[:, ::-1]
    scale = np.ones(2) if size is None else np.asarray(size, np.float64)
    whole = np.concatenate([first / scale, second / scale], axis=1)
    outside = (whole[:, :2] >= 1.0 + _BESIDE).any(axis=1) | (whole[:, 2:] <= -_BESIDE).any(axis=1)
    if outside.any():
        number = int(outside.argmax())
        raise DataError(
            f"box {number}, {np.round(given[number], 3).tolist()}, lies outside of the picture; look at the order "
            f"({order}) and the size"
        )
    return np.clip(whole, 0.0, 1.0).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Named:
    """Names classes that are stored as numbers; a name of the list stays.

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
        if isinstance(number, str) and number in self.names:
            return number
        if isinstance(number, str) or int(number) != number or not 0 <= number < len(self.names):
            raise DataError(f"class {number!r} of {len(self.names)}; look at the list of names")
        return self.names[int(number)]


@dataclasses.dataclass(frozen=True)
class Constant:
    """The same for every record, such as the names of a closed set."""

    value: Any

    def __call__(self, record: Record, context: Context) -> Any:
        return self.value
