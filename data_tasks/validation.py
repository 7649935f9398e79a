"""Every record of a file put to the test: what is wrong with it, by file, record and field."""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_tasks.files import of_file, own_names, renamed
from data_tasks.findings import Findings, Wrong
from data_tasks.formats.base import Format
from data_tasks.registry import REGISTRY, Registration
from data_tasks.sources.record import CANONICAL, checked
from data_tasks.sources.stored import Context, Make, Mapped, Reading, Record, Stored, find
from data_tasks.sources.tar import TarShards
from unified_io.errors import ConfigError, DataError, unknown

Progress = Callable[[int], Callable[[int], None]]
"""(how many there are) -> a function of how many are done."""
_FIELD = re.compile(r"field (\w+)")


class Checked(NamedTuple):
    """One example: what was stored, its raw fields, and what is wrong with them."""

    record: Record
    raw: dict[str, Any]
    wrong: list[Wrong]


@dataclasses.dataclass(frozen=True)
class Checker:
    """Reads one split of a dataset and says of every record what is wrong.

    Attributes:
      stored: The dataset.
      context: Where it lies.
      file: What to call it.
      task: Gives the mapping and the format; None where fields have our own names.
    """

    stored: Stored
    context: Context
    file: str
    task: Registration | None = None

    def __len__(self) -> int:
        """How many records there are; 0 where nobody knows."""
        return self.stored.length(self.context.folder, self.context.split) or 0

    def __iter__(self) -> Iterator[list[Checked]]:
        """Yields for every record the examples that are made of it."""
        for number, row in enumerate(self.stored.rows(self.context).as_numpy_iterator()):
            yield list(self._examples(str(number), row))

    def _examples(self, name: str, row: Mapping[str, np.ndarray]) -> Iterator[Checked]:
        try:
            parts = self._parts(self.stored.at(self.context, row))
        except Exception as error:  # whatever a broken record makes code raise is to be told
            yield Checked({}, {}, [Wrong(self.file, name, "", _reason(error))])
            return
        for part, one in enumerate(parts):
            called = f"{name}.{part}" if len(parts) > 1 else name
            raw, found = self._fields(one)
            found = found or list(_whole(raw)) or list(self._used(raw))
            yield Checked(one, raw, [Wrong(self.file, called, field, reason) for field, reason in found])

    def _parts(self, record: Record) -> list[Record]:
        if self.task is None:
            return [renamed(record) if isinstance(self.stored, TarShards) else record]
        source = self.task.source
        if source.keep is not None and not source.keep(record):
            return []
        return list(source.each(record)) if source.each else [record]

    def _fields(self, record: Record) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        raw: dict[str, Any] = {}
        found = []
        for key, make in self._mapping(record):
            try:
                if make is None:
                    raise unknown("raw field", key, CANONICAL)
                value = find(record, make) if isinstance(make, str) else make(record, self.context)
                raw |= checked({key: str(value) if key == "id" else value})
                found += [(key, reason) for reason in _empty(key, raw[key])] if key in raw else []
            except Exception as error:  # as above
                found.append((key, _reason(error)))
        return raw, found

    def _mapping(self, record: Record) -> list[tuple[str, str | Make | None]]:
        if self.task:
            return list(self.task.source.fields.items())
        return [(key, own_names([key])[key] if key in CANONICAL else None) for key in record]

    def _used(self, raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What the format of the task has against an example."""
        if self.task is None or not isinstance(self.task.form, Format):
            return
        try:
            self.task.form({"id": "", **raw, "training": False}, np.random.default_rng(0))
        except Exception as error:  # as above
            yield type(self.task.form).__name__, _reason(error)


def checkers(path: Path, name: str | None) -> list[Checker]:
    """Returns who checks a file or folder: one, or with a task's own dataset one a split.

    Raises:
      ConfigError: There is no such task, or it has no stored dataset.
      DataError: There is no such file, or nobody can read it.
    """
    if name is None:
        return [Checker(of_file(path), Context(path.parent, Reading(), ""), path.name)]
    if name not in REGISTRY:
        raise unknown("registered task", name, REGISTRY)
    task = REGISTRY[name]
    source = task.source
    if not isinstance(source, Mapped):
        raise ConfigError(f"task {name!r} reads no stored dataset; there is no file to check")
    splits = dict.fromkeys(split.partition(":")[0] for split in source.own.values())
    if path.is_dir():
        return [
            Checker(source.stored, Context(path, Reading(), split), f"{path.name} {split}", task)
            for split in splits
        ]
    around = next((up for up in path.resolve().parents if up.name == source.stored.name), path.parent)
    pattern = str(path.resolve().relative_to(around.resolve()))
    stored = dataclasses.replace(of_file(path), pattern=pattern)
    return [Checker(stored, Context(around, Reading(), next(iter(splits))), path.name, task)]


def validate(path: Path, name: str | None, progress: Progress) -> Findings:
    """Checks every record of a file.

    Args:
      path: The file, or with a task the folder of its dataset.
      name: The task whose mapping and format are used; None where fields have our own names.
      progress: Told how far it is.

    Raises:
      ConfigError: As `checkers`.
      DataError: Likewise.
    """
    count, errors = 0, []
    for checker in checkers(path, name):
        try:
            tell = progress(len(checker))
            for examples in checker:
                errors += [wrong for example in examples for wrong in example.wrong]
                count += 1
                tell(count)
        except DataError as error:  # of the whole file, such as that it is not there or is cut off
            errors.append(Wrong(checker.file, "", "", _reason(error)))
    return Findings(count, tuple(errors))


def _empty(key: str, value: Any) -> Iterator[str]:
    """Words that are not there."""
    kind = CANONICAL[key].kind
    if kind == "text" and not value.strip():
        yield "it is empty"
    for number, text in enumerate(value if kind == "texts" else ()):
        if not text.strip():
            yield f"entry {number} is empty"


def _whole(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What does not go together."""
    try:
        checked(raw)
    except DataError as error:
        named = _FIELD.match(str(error))
        yield named[1] if named else "boxes", _reason(error)
    classes = raw.get("classes")
    for key in ("name", "names"):
        for name in (raw[key] if key == "names" else [raw[key]]) if classes and key in raw else ():
            if name not in classes:
                yield key, str(unknown("class", name, classes))


def _reason(error: Exception) -> str:
    """An error as one line of a table."""
    text = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
    return " ".join(text.split()) or type(error).__name__
