"""A file, or a folder of media, as records of our own: what is wrong stays behind and is named."""

import dataclasses
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data_tasks.findings import Findings, Wrong
from data_tasks.sources.media import content
from data_tasks.sources.record import CANONICAL
from data_tasks.sources.records import Records
from data_tasks.sources.stored import Context
from data_tasks.validation import Checked, Progress, checkers
from unified_io.errors import DataError

MEDIA = ("image", "mel")  # kinds whose files are kept as they are, for a mapping to read


@dataclasses.dataclass(frozen=True)
class Converted(Findings):
    """What became of the records of a file; `written` of them are now ours."""

    written: int = 0


def convert(source: Path, folder: Path, split: str, name: str | None, progress: Progress) -> Converted:
    """Writes what can be read of a file or folder as `Records(…)` of a split.

    Pictures and sounds are kept as the content of their files, so that a mapping reads them as it likes
    (`Picture("image")`, `Sound("audio")`); with a task it is what that task's mapping made of them.

    Args:
      source: The file, or a folder of media.
      folder: Where to write.
      split: Name of the split.
      name: A task whose mapping is used; None where fields have our own names.
      progress: Told how far it is.

    Raises:
      ConfigError: As `validation.checkers`.
      DataError: Likewise, or nothing at all could be read.
    """
    count, written, errors = 0, 0, []

    def records() -> Iterator[dict[str, Any]]:
        nonlocal count, written
        for checker in checkers(source, name):
            tell = progress(len(checker))
            for examples in checker:
                count += 1
                tell(count)
                for example in examples:
                    errors.extend(example.wrong)
                    if not example.wrong:
                        written += 1
                        yield _record(example, checker.context, mapped=name is not None)
        if not written:  # nothing is left behind then
            raise DataError(f"none of {count} records of {source} can be used: {_first(errors)}")

    Records("").write(folder, split, records())
    return Converted(count, tuple(errors), written)


def _record(example: Checked, context: Context, mapped: bool) -> dict[str, Any]:
    """An example as it is stored: the content of media, everything else as it was checked."""
    stored = {}
    for key, value in example.raw.items():
        kind = CANONICAL[key].kind
        if kind in MEDIA and not mapped:
            stored[key] = _content(example.record[key], context)
        elif kind == "image":
            stored[key] = _png(value)
        elif kind == "images":
            stored[key] = [_png(one) for one in value]
        else:
            stored[key] = value
    return stored


def _content(value: Any, context: Context) -> Any:
    found = content(value, "", False, context)
    return found.read_bytes() if isinstance(found, Path) else found


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray((np.clip(pixels, 0.0, 1.0) * 255).round().astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _first(errors: list[Wrong]) -> str:
    return f"record {errors[0].record}, {errors[0].field}: {errors[0].reason}" if errors else "there are none"
