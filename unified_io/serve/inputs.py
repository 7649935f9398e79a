"""What a client sends, as the inputs and options of a model. Nothing is fetched, and no path is opened."""

import base64
import binascii
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from unified_io.api.engine import DIALOG
from unified_io.api.options import OPTIONS
from unified_io.errors import DataError, unknown
from unified_io.serve.limits import Limits

TEXT, PICTURE = "text", "image"
OURS = ("progress", "allow_random", "batch_size", "beams", "samples", "rank", "length_penalty")
"""The options that a client has no business with."""
SAFE = tuple(name for name in OPTIONS if name not in OURS)


class TooLarge(DataError):
    """It is more than the server takes."""


def read_inputs(given: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Turns JSON into inputs by modality name: text and dialogs stay, media are data URIs or lists of some, pen points,
    clouds and motion are lists of numbers.

    Raises:
      DataError: Something is no such thing.
      TooLarge: Something is larger than the limits.
    """
    if not isinstance(given, Mapping):
        raise DataError(f"inputs are {type(given).__name__}; give an object with one entry a modality")
    return {name: _value(name, value, limits) for name, value in given.items() if value is not None}


def read_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of a request.

    Raises:
      ConfigError: A client has no business with an option of that name.
    """
    if not isinstance(given, Mapping):
        raise DataError(f"options are {type(given).__name__}; give an object with one entry an option")
    for name in given:
        if name not in SAFE:
            raise unknown("option", name, SAFE)
    return {name: value for name, value in given.items() if value is not None}


def decode_uri(uri: str, limits: Limits) -> bytes:
    """Returns the bytes of a data URI, a picture or a sound of no more than the limits.

    Raises:
      DataError: It is a path or an address, or its bytes are not what it says.
      TooLarge: It is larger than the limits.
    """
    head, comma, body = uri.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise DataError(
            f"got {uri[:40]!r}; media are sent as data:TYPE;base64,… and nothing is fetched or opened"
        )
    return decode_base64(body, head[len("data:") : -len(";base64")], limits)


def decode_base64(body: str, kind: str, limits: Limits) -> bytes:
    """As `decode_uri`, of the part behind the comma; `kind` is its media type."""
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(f"the base64 of {kind} is broken ({error}); encode it again") from error
    if kind.startswith("image/"):
        _check_picture(data, limits)
    elif kind.startswith("audio/"):
        _check_sound(data, limits)
    else:
        raise DataError(f"media of type {kind!r}; give image/… or audio/…")
    return data


def check_text(text: str, limits: Limits) -> str:
    """Returns the text.

    Raises:
      TooLarge: It is longer than the limits.
    """
    if len(text) > limits.characters:
        raise TooLarge(f"a text of {len(text)} characters; the most is {limits.characters}: shorten it")
    return text


def _value(name: str, value: Any, limits: Limits) -> Any:
    if isinstance(value, str):
        return check_text(value, limits) if name == TEXT else decode_uri(value, limits)
    if name == DIALOG and isinstance(value, Mapping):
        check_text(json.dumps(value), limits)
        return dict(value)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return [decode_uri(one, limits) for one in value]
    if isinstance(value, list) and value:
        try:
            return np.asarray(value, np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"{name} is a list, but not of rows of as many numbers ({error})") from error
    raise DataError(f"{name} is {type(value).__name__}; give text, a data URI or a list of rows of numbers")


def _check_picture(data: bytes, limits: Limits) -> None:
    """Looks at the head of a picture only: what bursts when it is decoded is not decoded."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
    except Image.DecompressionBombError as error:
        raise TooLarge(f"a picture that is too large: {error}") from error
    except Exception as error:  # Pillow raises a dozen kinds for what is no picture
        raise DataError(f"no picture ({error}); send PNG, JPEG or WebP") from error
    if width * height > limits.pixels:
        raise TooLarge(f"a picture of {width}x{height}; the most is {limits.pixels} pixels: shrink it")


def _check_sound(data: bytes, limits: Limits) -> None:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            seconds = sound.frames / sound.samplerate
    except Exception as error:
        raise DataError(f"no sound ({error}); send WAV, FLAC, Ogg or MP3") from error
    if seconds > limits.seconds:
        raise TooLarge(f"a sound of {seconds:.0f} s; the most is {limits.seconds:.0f} s: cut it")
