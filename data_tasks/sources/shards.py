"""Datasets that lie in one file a split, or in several that one pattern finds. Knows no format of a file."""

import bisect
import contextlib
import dataclasses
import functools
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_tasks.sources.stored import Record, Stored
from unified_io.errors import DataError

Stamp = tuple[int, int, int]
"""What changes when a file does: time, size and place on the disk."""


@dataclasses.dataclass(frozen=True)
class Sharded(Stored):
    """Records in one or more files, numbered through in the order of the files' names.

    Attributes:
      pattern: Files of a split below the dataset's folder; {split} is the split, * stands for anything.
    """

    pattern: str = "{split}"

    def count(self, path: Path, stamp: Stamp) -> int:
        """Returns how many records a file holds."""
        raise NotImplementedError

    def read(self, path: Path, stamp: Stamp, index: int) -> Record:
        """Reads one record of a file."""
        raise NotImplementedError

    def length(self, folder: Path, split: str) -> int:
        return sum(self.counts(folder, split))

    def counts(self, folder: Path, split: str) -> list[int]:
        """Returns how many records each file of a split holds."""
        return [self.count(path, stamp(path)) for path in found(folder, self.pattern, split)]

    def record(self, folder: Path, split: str, index: int) -> Record:
        paths, bounds = _bounds(self, folder, split, _listed(folder, self.pattern, split))
        if not 0 <= index < bounds[-1]:
            raise DataError(f"record {index} of {bounds[-1]} in {folder}; have the files changed?")
        number = bisect.bisect_right(bounds, index) - 1
        return self.read(paths[number], stamp(paths[number]), index - bounds[number])

    def files(self, folder: Path, split: str) -> list[str]:
        pattern = self.pattern.format(split=split)
        return [str(path) for path in sorted(folder.glob(pattern))] or [str(folder / pattern)]


def found(folder: Path, pattern: str, split: str) -> list[Path]:
    """Finds the files of a split, by name.

    Raises:
      DataError: There is none.
    """
    paths = sorted(path for path in folder.glob(pattern.format(split=split)) if path.is_file())
    if not paths:
        raise DataError(
            f"no file {folder / pattern.format(split=split)}; get the dataset, or say where datasets lie: "
            "Reading.data_dir or UNIFIED_IO_DATA"
        )
    return paths


def stamp(path: Path) -> Stamp:
    """Returns what changes when a file does, so that nothing stale is used.

    Raises:
      DataError: There is no such file.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise DataError(f"{path} can not be read: {error}; get it again") from error
    return about.st_mtime_ns, about.st_size, about.st_ino


@contextlib.contextmanager
def written(path: Path) -> Iterator[Path]:
    """Gives a path to write a file at, which takes its place when all of it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _listed(folder: Path, pattern: str, split: str) -> tuple[Stamp, ...]:
    """What changes when files come or go: cheap to ask for every record."""
    name = pattern.format(split=split)
    if "*" not in name:
        return (stamp(folder / name),)
    fixed = itertools.takewhile(lambda part: "*" not in part, Path(name).parts)
    return (stamp(folder.joinpath(*fixed)),)


@functools.lru_cache(maxsize=64)
def _bounds(
    stored: Sharded, folder: Path, split: str, listed: tuple[Stamp, ...]
) -> tuple[Sequence[Path], Sequence[int]]:
    return found(folder, stored.pattern, split), [
        0,
        *itertools.accumulate(stored.counts(folder, split)),
    ]
