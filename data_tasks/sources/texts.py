"""What makes texts and lists of records: joined, cleaned, named, picked. Knows no dataset."""

import dataclasses
import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_tasks.sources.media import decoded, inside
from data_tasks.sources.stored import Context, Record, find
from unified_io.errors import DataError

_MOST_NAMES = 16 * 2**20  # bytes


@dataclasses.dataclass(frozen=True)
class Joined:
    """Puts texts behind each other; those that are missing or blank are left out.

    Attributes:
      paths: Where they are in a record; a list of texts counts as several.
      between: What stands between two.
    """

    paths: Sequence[str]
    between: str = "\n"

    def __call__(self, record: Record, context: Context) -> str:
        texts: list[str] = []
        for path in self.paths:
            try:
                value = find(record, path)
            except KeyError:
                continue
            texts += [
                text(one)
                for one in (value if isinstance(value, list | tuple) else [value])
                if one is not None
            ]
        if not (kept := [one.strip() for one in texts if one.strip()]):
            raise DataError(f"{', '.join(self.paths)} hold no text")
        return self.between.join(kept)


@dataclasses.dataclass(frozen=True)
class Cleaned:
    """Tidies a text or every one of a list: spaces once, placeholders replaced, lower case where asked.

    Attributes:
      path: Where it is in a record.
      lower: Whether to write it in lower case.
      instead: What to replace -> by what, such as "<person>" by "person".
    """

    path: str
    lower: bool = False
    instead: Mapping[str, str] = dataclasses.field(default_factory=lambda: {"\\": " ", "<person>": "person"})

    def __call__(self, record: Record, context: Context) -> Any:
        value = find(record, self.path)
        if isinstance(value, list | tuple):
            return [one for one in map(self._clean, value) if one]
        return self._clean(value)

    def _clean(self, value: Any) -> str:
        words = text(value)
        words = words.lower() if self.lower else words
        for old, new in self.instead.items():
            words = re.sub(re.escape(old), lambda _, new=new: new, words, flags=re.IGNORECASE)
        return " ".join(words.split())


@dataclasses.dataclass(frozen=True)
class ClassFile:
    """Names classes by the lines of a file of the dataset: number n is line n; a JSON list or object does too.

    Attributes:
      path: Where the number, the key, or a list of them is in a record.
      file: The file, below the dataset's folder.
      first: Number of the first line.
    """

    path: str
    file: str
    first: int = 0

    def __call__(self, record: Record, context: Context) -> Any:
        names = _names(inside(context.folder, "", self.file))
        value = find(record, self.path)
        several = isinstance(value, list | tuple) or getattr(value, "ndim", 0)
        return [self._name(names, one) for one in value] if several else self._name(names, value)

    def _name(self, names: Mapping[str, str], number: Any) -> str:
        key = str(int(number) - self.first) if not isinstance(number, str) else number
        if key not in names:
            raise DataError(f"class {number!r} is not in {self.file}, which has {len(names)}")
        return names[key]


@dataclasses.dataclass(frozen=True)
class Picked:
    """Picks from a list of dictionaries: what one key holds, of those where another holds a value.

    Attributes:
      path: Where the list is in a record.
      key: What to take of each.
      where: Keys and the values they must have.
      first: Whether to give only the first one that fits, not the list.
    """

    path: str
    key: str
    where: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    first: bool = False

    def __call__(self, record: Record, context: Context) -> Any:
        fits = [
            find(one, self.key)
            for one in find(record, self.path)
            if all(one.get(key) == value for key, value in self.where.items())
        ]
        if self.first and not fits:
            raise DataError(f"{self.path} has nothing where {dict(self.where)}")
        return fits[0] if self.first else fits


@dataclasses.dataclass(frozen=True)
class Decoded:
    """Reads a text that is written in base64.

    Attributes:
      path: Where it is in a record.
    """

    path: str

    def __call__(self, record: Record, context: Context) -> str:
        return text(decoded(find(record, self.path)))


def text(value: Any) -> str:
    """Returns a value as text: bytes are UTF-8, numbers are written out.

    Raises:
      DataError: It is neither.
    """
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"no text in UTF-8: {error.reason} at byte {error.start}") from error
    if isinstance(value, str | int | float):
        return str(value)
    raise DataError(f"{str(value)[:60]!r} of type {type(value).__name__} is no text")


@functools.lru_cache(maxsize=16)
def _names(path: Path) -> Mapping[str, str]:
    """Number or key -> name."""
    try:
        if path.stat().st_size > _MOST_NAMES:
            raise DataError(f"{path} is larger than {_MOST_NAMES} bytes; is it a list of names?")
        lines = path.read_text(encoding="utf-8")
        given = json.loads(lines) if path.suffix == ".json" else lines.splitlines()
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"the names in {path} can not be read: {error}") from error
    pairs = given.items() if isinstance(given, dict) else enumerate(given)
    return {str(key): text(name).strip() for key, name in pairs}


@dataclasses.dataclass(frozen=True)
class Classes:
    """All names of a file of classes, as `ClassFile` reads them: a closed set.

    Attributes:
      file: The file, below the dataset's folder.
    """

    file: str

    def __call__(self, record: Record, context: Context) -> list[str]:
        return list(_names(inside(context.folder, "", self.file)).values())
