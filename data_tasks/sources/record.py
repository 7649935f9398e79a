"""The raw fields that formats read, checked, and one example of them as bytes and back. Knows no dataset."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import serialization

from unified_io.errors import DataError, unknown
from unified_io.vocab import plain_text


@dataclasses.dataclass(frozen=True)
class RawField:
    """One raw field.

    Attributes:
      kind: "text", "texts", "image" ([h, w, 3] float32 in [0, 1]), "images" (a list of them), "mel" (natural-log mel
        [frames, mels]), "mels" (a list), "numbers" (an array of float32), "whole" (an array of int32), "mask" (an array
        of bool), "plain" (JSON values).
      rank: Axes of an array; None for any.
      meaning: What it is, with its unit.
    """

    kind: str
    rank: int | None
    meaning: str


CANONICAL: dict[str, RawField] = {
    "id": RawField("text", None, "what to call the example"),
    "training": RawField("plain", None, "whether the example is trained on; sources fill it in"),
    "reworded": RawField("plain", None, "whether it is asked for in held-out wordings; sources fill it in"),
    "image": RawField("image", 3, "the picture, or the current frame"),
    "image_target": RawField("image", 3, "the picture to draw"),
    "images": RawField("images", None, "frames in order of time, or views"),
    "times": RawField("numbers", 1, "seconds of every frame"),
    "audio": RawField("mel", 2, "the sound, or its current segment"),
    "audio_history": RawField("mels", None, "earlier segments"),
    "text": RawField("text", None, "running text, or what is said"),
    "captions": RawField("texts", None, "descriptions, any of which will do"),
    "question": RawField("text", None, "a question"),
    "answers": RawField("texts", None, "answers, by several people or several that are right"),
    "options": RawField("texts", None, "what to choose from"),
    "label": RawField("whole", 1, "the truth in numbers"),
    "name": RawField("text", None, "the name of the class, or of the thing that is asked for"),
    "names": RawField("texts", None, "the name of every box, mask or class"),
    "classes": RawField("texts", None, "all names of a closed set"),
    "boxes": RawField("numbers", 2, "(y1, x1, y2, x2) in [0, 1] of the picture"),
    "crowd": RawField("mask", 1, "boxes that hold many things at once"),
    "phrases": RawField("texts", None, "a phrase for every box"),
    "masks": RawField("mask", 3, "one mask [h, w] of the picture's size a thing"),
    "points": RawField(
        "numbers", None, "points (y, x) in [0, 1] of the picture; pen points (y, x, pen) of a drawing"
    ),
    "keypoints": RawField(
        "numbers", 3, "(y, x, visible) of 17 COCO parts a person, in [0, 1] of the picture"
    ),
    "depth": RawField("numbers", 2, "metres [h, w]; 0 or less is unknown"),
    "normals": RawField("numbers", 3, "unit vectors [h, w, 3] in the camera's frame; zeros are unknown"),
    "flow": RawField(
        "numbers", 3, "pixels (u to the right, v down) [h, w, 2] from the first picture to the second"
    ),
    "valid": RawField("mask", 2, "where a map is known"),
    "cuboids": RawField(
        "plain", None, "list of {center m, dims m (w, h, l), rotation 3x3, name}, camera's frame"
    ),
    "intrinsics": RawField("numbers", 2, "3x3 matrix of the camera, in pixels of the picture"),
    "cameras": RawField(
        "numbers", 2, "(theta, phi, r) of every view: polar angle, azimuth (radians), distance m"
    ),
    "relations": RawField(
        "plain", None, "list of [subject, predicate, object]: indices into boxes, a phrase between"
    ),
    "instruction": RawField("text", None, "what to do"),
    "context": RawField("text", None, "what the instruction is about"),
    "response": RawField("text", None, "what a good answer says"),
    "turns": RawField("plain", None, "list of [role, text] of a conversation"),
    "actions": RawField("plain", None, "what was done, a step each: words, or lists of numbers"),
    "states": RawField("numbers", 2, "where the agent was at every step"),
    "goal": RawField("text", None, "what is to be reached"),
    "tracks": RawField("numbers", 2, "box of one thing in every frame"),
    "keep": RawField("mask", 2, "pixels that may be seen"),
    "world": RawField("plain", None, "whatever else is true, as JSON values"),
}
"""Order of boxes, units and scales are converted on the way here, never in a format."""

_DTYPES = {"image": np.float32, "mel": np.float32, "numbers": np.float32, "whole": np.int32, "mask": np.bool_}


def checked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a raw example with every field in its type; None is left out.

    Raises:
      DataError: A field is of another type or shape, or holds NaN, or a box is not in the picture; names the field.
      ConfigError: There is no such field.
    """
    found = {}
    for key, value in raw.items():
        if key not in CANONICAL:
            raise unknown("raw field", key, CANONICAL)
        if value is not None:
            found[key] = _as(CANONICAL[key], key, value)
    if "boxes" in found:
        _check_boxes(found)
    if "image" in found:
        _check_maps(found)
    return found


def pack(raw: Mapping[str, Any]) -> bytes:
    """Returns a raw example as bytes; no code is ever run to read them."""
    return serialization.msgpack_serialize(dict(raw))


def unpack(stored: bytes) -> dict[str, Any]:
    """Returns the raw example that `pack` wrote."""
    return serialization.msgpack_restore(stored)


def _as(field: RawField, key: str, value: Any) -> Any:
    kind = field.kind
    if kind == "plain":
        return _plain(key, value)
    if kind == "text":
        return _text(key, value)
    if kind == "texts":
        return [_text(key, one) for one in ([value] if isinstance(value, str | bytes) else _list(key, value))]
    if kind in ("images", "mels"):
        one = RawField({"images": "image", "mels": "mel"}[kind], 3 if kind == "images" else 2, field.meaning)
        return [_as(one, key, each) for each in _list(key, value)]
    try:
        array = np.asarray(value, _DTYPES[kind])
    except (TypeError, ValueError) as error:
        raise DataError(f"field {key} is {str(value)[:60]!r}, wanted {field.meaning} ({error})") from error
    if array.ndim != field.rank and field.rank is not None:
        if array.size:
            raise DataError(
                f"field {key} has shape {list(array.shape)}, wanted {field.rank} axes: {field.meaning}"
            )
        array = array.reshape((0, 4) if key == "boxes" else (0,) * field.rank)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"field {key} holds NaN or infinity; wanted {field.meaning}")
    if kind == "image" and (array.shape[2] != 3 or array.min(initial=0) < 0 or array.max(initial=0) > 1):
        raise DataError(
            f"field {key} has shape {list(array.shape)} and values from {array.min(initial=0):g} to "
            f"{array.max(initial=0):g}, wanted [h, w, 3] in [0, 1]; map it with Picture"
        )
    return array


def _list(key: str, value: Any) -> Any:
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0):
        return value
    raise DataError(f"field {key} is {str(value)[:60]!r} of type {type(value).__name__}, wanted a list")


def _plain(key: str, value: Any) -> Any:
    """JSON values and arrays; tuples become lists."""
    if isinstance(value, Mapping):
        return {str(name): _plain(key, one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(key, one) for one in value]
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fiub":
        return value
    if isinstance(value, str):
        return plain_text(value)
    if value is None or isinstance(value, bool | int | float | bytes):
        return value
    raise DataError(f"field {key} holds {type(value).__name__}; wanted JSON values or arrays of numbers")


def _text(key: str, value: Any) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"field {key} is no text in UTF-8: {error.reason} at byte {error.start}"
            ) from error
    if not isinstance(value, str):
        raise DataError(f"field {key} is {str(value)[:60]!r} of type {type(value).__name__}, wanted text")
    return plain_text(value)


def _check_boxes(raw: Mapping[str, Any]) -> None:
    boxes = raw["boxes"]
    if boxes.shape[1:] != (4,):
        raise DataError(
            f"field boxes has shape {list(boxes.shape)}, wanted [n, 4]: {CANONICAL['boxes'].meaning}"
        )
    wrong = ~((boxes >= 0) & (boxes <= 1)).all(axis=1) | (boxes[:, :2] > boxes[:, 2:]).any(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        raise DataError(
            f"box {first} is {boxes[first].round(4).tolist()}, wanted {CANONICAL['boxes'].meaning}; look at the order "
            "and the unit in the mapping, or clip boxes that reach beyond the picture"
        )
    for key in ("names", "phrases", "crowd", "masks"):
        if key in raw and len(raw[key]) not in (0, len(boxes)):
            raise DataError(f"{len(raw[key])} {key} for {len(boxes)} boxes; want one each")


def _check_maps(raw: Mapping[str, Any]) -> None:
    """Masks and maps are drawn on the picture, so they are as large as it is."""
    size = raw["image"].shape[:2]
    for key, axis in (("masks", 1), ("depth", 0), ("normals", 0), ("valid", 0), ("keep", 0)):
        if key in raw and raw[key].size and raw[key].shape[axis : axis + 2] != size:
            have = list(raw[key].shape[axis : axis + 2])
            raise DataError(
                f"field {key} is of size {have}, the picture of {list(size)}; bring them to one size"
            )
