"""Files and bytes that a user hands over: named for errors, opened for a decoder. Knows no format."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from unified_io.errors import DataError, UnifiedIOError

MAX_BYTES = 2**30


def is_source(value: Any) -> bool:
    """Whether a value is a path or the content of a file, not something that is decoded already."""
    return isinstance(value, str | Path | bytes | bytearray | memoryview)


@contextlib.contextmanager
def opened(value: Any, kind: str) -> Iterator[tuple[str, BinaryIO]]:
    """Opens a path or the content of a file: gives what to call it in an error, and the file.

    Whatever a decoder raises on it, short of running out of memory, is a DataError: decoders fail on bad bytes in
    many ways, and all of them mean that the file is no good.

    Args:
      value: A path, or the bytes.
      kind: What it should be, with its article ("an image"), for errors.

    Raises:
      DataError: There is no such file, or it is empty, larger than `MAX_BYTES` or can not be decoded.
    """
    name = repr(str(value))[:300] if isinstance(value, str | Path) else f"{kind} of {len(value)} bytes"
    with _file(value, name, kind) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if not 0 < size <= MAX_BYTES:
            raise DataError(f"{name} is {size} bytes long; {kind} may have 1 to {MAX_BYTES}")
        try:
            yield name, file
        except (UnifiedIOError, MemoryError):
            raise
        except Exception as error:
            raise DataError(
                f"{name} can not be read as {kind} ({type(error).__name__}: {error}); is it complete? If so, "
                "convert it to a common format"
            ) from error


def _file(value: Any, name: str, kind: str) -> BinaryIO:
    if not isinstance(value, str | Path):
        return io.BytesIO(value)
    try:
        if Path(value).is_file():
            return open(value, "rb")
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        raise DataError(f"{name} can not be opened: {error}") from error
    raise DataError(f"no {kind.split()[-1]} at {name}; give the path of a file")
