"""What a field of an example is to somebody who looks at it or files it: told by its type and shape, not its name."""

import enum
from typing import Any

from unified_io.errors import DataError
from unified_io.modalities.base import FIELDS


class Kind(enum.Enum):
    """Kinds of fields. Values are type, shape and axes, as `modalities.base.FIELDS` has them."""

    TEXT = "string", (), ""
    PICTURE = "float32", (None, None, 3), ""
    PICTURES = "float32", (None, None, None, 3), ""
    SOUND = "float32", (None, None), ""
    SOUNDS = "float32", (None, None, None), ""
    POINTS = "float32", (None, 3), ""
    CLOUD = "float32", (None, 3), "x y z"
    MOTION = "float32", (None, 6), ""
    MASK = "bool", (None, None), ""


def kind_of(key: str) -> Kind:
    """Returns the kind of a field of FIELDS.

    Raises:
      DataError: It is of a type and shape that nobody can show.
    """
    field = FIELDS[key]
    try:
        return Kind((field.dtype, field.shape, field.axes))
    except ValueError as error:
        raise DataError(
            f"field {key!r} is {field.dtype} of shape {list(field.shape)}, which can not be shown; add it to Kind"
        ) from error


def is_blank(value: Any) -> bool:
    """Says whether a field of a bound example is absent: no text, no number, no frame."""
    return value is None or (len(value) if isinstance(value, str | list) else value.size) == 0
