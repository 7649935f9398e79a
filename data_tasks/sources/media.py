"""The content of a medium that a record holds or names. Knows no format of a file."""

import base64
import binascii
from pathlib import Path
from typing import Any

from data_tasks.sources.stored import Context
from unified_io.errors import DataError


def content(value: Any, folder: str, encoded: bool, context: Context) -> Any:
    """Returns the content of a medium, or the path of its file, which lies within the dataset's folder.

    Args:
      value: Bytes, an array, the name of a file, or a dictionary of "bytes" or "path", as Hugging Face stores media.
      folder: Folder of the files, below the dataset's own; {split} in it is the split.
      encoded: Whether it is written in base64.
      context: Where the dataset lies.

    Raises:
      DataError: It is nothing, is no base64, or the file would lie elsewhere.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if value is None:
        raise DataError("it is empty; want the content of a file, or its name")
    if encoded:
        return decoded(value)
    if not isinstance(value, str):
        return value
    return inside(context.folder, folder.format(split=context.split), value)


def decoded(value: str | bytes) -> bytes:
    """Returns what is written in base64.

    Raises:
      DataError: It is not.
    """
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise DataError(
            f"no base64: {error}; if the content is not encoded, say so in the mapping"
        ) from error


def inside(root: Path, folder: str, name: str) -> Path:
    """Returns the path of a file that a record names.

    Raises:
      DataError: It lies outside of the dataset's folder.
    """
    try:
        path = (root / folder / name).resolve()
        if not name or "\0" in name or not path.is_relative_to(root.resolve()):
            raise DataError(f"the file {name!r} lies outside of the dataset's folder; name one within it")
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"the file {name!r} can not be named: {error}") from error
    return path
