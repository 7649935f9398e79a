"""Values of the fields of an example, as people and formats have them and as TensorFlow does. Knows no task."""

from typing import Any

import numpy as np

from unified_io.errors import DataError, unknown
from unified_io.modalities.base import FIELDS, Field

META = {
    "meta/task": Field((), "string", "the task the example belongs to"),
    "meta/id": Field((), "string", "what to call the example in an error"),
    "meta/labels": Field((None,), "int32", "the truth in numbers, for evaluation"),
    "meta/truth": Field((), "string", "what a format needs to judge an answer, as JSON"),
    "meta/options": Field((), "string", "what to choose the answer from, every option scored by itself"),
}
"""What every bound example carries besides the fields of its modalities."""


def as_read(key: str, value: Any) -> Any:
    """Returns a value of a bound example as `preprocess` takes it: text as strings, frames at their own sizes."""
    value = to_python(key, value)
    if isinstance(value, list):
        return value if len(value) > 1 else "".join(value)
    return own_frames(key, value)


def field_of(key: str) -> Field:
    """Returns what a field is.

    Raises:
      ConfigError: There is none of this name.
    """
    known = FIELDS | META
    if key not in known:
        raise unknown("field", key, known)
    return known[key]


def shape_of(field: Field) -> tuple[int | None, ...]:
    """Returns the shape a field has in TensorFlow."""
    # A string field may hold none, one or several answers.
    return (None,) if field.dtype == "string" else field.shape


def blank(field: Field) -> np.ndarray:
    """Returns the value of a field that an example does not have."""
    shape = [size or 0 for size in shape_of(field)]
    return np.zeros(shape, object if field.dtype == "string" else field.dtype)


def to_tensor(key: str, value: Any, field: Field) -> np.ndarray:
    """A value of a field as the array TensorFlow takes; None is blank."""
    if value is None:
        return blank(field)
    if field.dtype == "string":
        return np.array([text.encode() for text in ([value] if isinstance(value, str) else value)], object)
    array = _laid(key, value, field) if _of_frames(field) else np.asarray(value, field.dtype)
    if array.ndim != len(field.shape):
        raise DataError(f"{key} has shape {array.shape}, wanted {list(field.shape)}: {field.meaning}")
    return array


def _of_frames(field: Field) -> bool:
    """Whether a field holds frames, each of a free height and width."""
    return field.shape.count(None) > 2


def _laid(key: str, value: Any, field: Field) -> np.ndarray:
    """Frames as one array; those of another size are filled up with NaN, which `own_frames` takes off again."""
    frames = [np.asarray(frame, field.dtype) for frame in value]
    if not all(np.isfinite(frame).all() for frame in frames):
        raise DataError(f"{key} holds NaN or infinity; look at where its frames come from")
    if len({frame.shape for frame in frames}) < 2:
        return np.stack(frames) if frames else blank(field)
    if wrong := [frame.shape for frame in frames if frame.ndim + 1 != len(field.shape)]:
        raise DataError(f"{key} has a frame of shape {wrong[0]}, wanted {list(field.shape[1:])}")
    most = np.max([frame.shape for frame in frames], axis=0)
    return np.stack(
        [
            np.pad(
                frame, [(0, m - n) for m, n in zip(most, frame.shape, strict=True)], constant_values=np.nan
            )
            for frame in frames
        ]
    )


def own_frames(key: str, value: Any) -> Any:
    """Frames of their own sizes, a list, where `_laid` filled some of them up; any other value as it is."""
    if key not in FIELDS or not _of_frames(FIELDS[key]) or not np.isnan(value).any():
        return value
    # A frame that was filled up begins with its own pixels: where its first column and row end, so does it.
    real = ~np.isnan(value.reshape(*value.shape[:3], -1)[..., 0])
    frames = [
        frame[:height, :width]
        for frame, height, width in zip(value, real[:, :, 0].sum(1), real[:, 0].sum(1), strict=True)
    ]
    # NaN of another origin stays, for the modality to refuse.
    return frames if all(frame.size and np.isfinite(frame).all() for frame in frames) else value


def to_python(key: str, value: Any) -> Any:
    """What TensorFlow hands over as people write it: its strings are text."""
    try:
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, np.ndarray) and value.dtype == object:
            return [text.decode() for text in value]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{key} is no text in UTF-8 ({error.reason} at byte {error.start}); if it is the content of a file, give "
            f"numpy_map files=({key!r},)"
        ) from error
    return value
