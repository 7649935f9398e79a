"""Datasets of one JSON object or one row a line: .jsonl (also compressed) and .csv, with media beside them in a folder."""

import csv
import dataclasses
import functools
import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path

from data_tasks.sources.stored import Record, Stored
from unified_io.errors import DataError

_MOST_LINE = 64 * 2**20  # bytes; a longer line is no record


@dataclasses.dataclass(frozen=True)
class Lines(Stored):
    """One record a line.

    Attributes:
      pattern: File of a split below the dataset's folder, {split} in it; .jsonl, .jsonl.gz, .csv or .tsv.
    """

    pattern: str = "{split}.jsonl"

    def length(self, folder: Path, split: str) -> int:
        return len(self._lines(folder, split))

    def record(self, folder: Path, split: str, index: int) -> Record:
        lines, path = self._lines(folder, split), self._path(folder, split)
        if _delimiter(path):
            return dict(zip(*_rows([_header(str(path), _stamp(path)), lines[index]], path), strict=False))
        try:
            record = json.loads(lines[index])
        except ValueError as error:
            raise DataError(f"line {index + 1} of {path} is no JSON: {error}") from error
        if not isinstance(record, dict):
            raise DataError(f"line {index + 1} of {path} is {type(record).__name__}, wanted an object")
        return record

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        path = self._path(folder, split)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO(newline="")
        records = list(records)
        if delimiter := _delimiter(path):
            columns = list(dict.fromkeys(key for record in records for key in record))
            writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
            writer.writeheader()
            writer.writerows(records)
        else:
            text.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        content = text.getvalue().encode()
        path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)

    def files(self, folder: Path, split: str) -> list[str]:
        return [str(self._path(folder, split))]

    def _path(self, folder: Path, split: str) -> Path:
        return folder / self.pattern.format(split=split)

    def _lines(self, folder: Path, split: str) -> tuple[str, ...]:
        path = self._path(folder, split)
        lines = _read(str(path), _stamp(path))
        return lines[1:] if _delimiter(path) else lines


def _delimiter(path: Path) -> str | None:
    return {".csv": ",", ".tsv": "\t"}.get(
        path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    )


def _stamp(path: Path) -> int:
    """What changes when a file does, so that a stale copy is not used.

    Raises:
      DataError: There is no such file.
    """
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise DataError(
            f"no file {path}; get the dataset, or say where datasets lie: Reading.data_dir"
        ) from error


def _header(path: str, stamp: int) -> str:
    return _read(path, stamp)[0]


@functools.lru_cache(maxsize=16)
def _read(path: str, stamp: int) -> tuple[str, ...]:
    opened = gzip.open if path.endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            lines = tuple(line.rstrip("\r\n") for line in file)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can not be read: {error}; get it again") from error
    if any(len(line) > _MOST_LINE for line in lines):
        raise DataError(f"{path} has a line of more than {_MOST_LINE} characters; is it one record a line?")
    return tuple(line for line in lines if line.strip())


def _rows(lines: list[str], path: Path) -> list[list[str]]:
    return list(csv.reader(lines, delimiter=_delimiter(path) or ","))
