"""Datasets of one JSON object or one row a line: .jsonl and .csv, also compressed; media lie beside them."""

import csv
import dataclasses
import functools
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from data_tasks.sources.shards import Sharded, Stamp, written
from data_tasks.sources.stored import Record
from unified_io.errors import DataError

_MOST_LINE = 64 * 2**20  # bytes; a longer line is no record
_KEPT = 8  # files held in memory: tables and what was compressed


@dataclasses.dataclass(frozen=True)
class Lines(Sharded):
    """One record a line; a row of a .csv may have line breaks in quotes.

    Of a plain .jsonl only the places of its lines are kept; others are read whole, and a compressed one by the block.

    Attributes:
      pattern: Files of a split below the dataset's folder, {split} in it; .jsonl, .json, .csv or .tsv, or these .gz.
    """

    pattern: str = "{split}.jsonl"

    def count(self, path: Path, stamp: Stamp) -> int:
        return len(_rows(path, stamp)[1]) if _delimiter(path) else len(_places(path, stamp))

    @property
    def scattered(self) -> bool:
        return not self.pattern.endswith(".gz")

    def blocks(self, folder: Path, split: str) -> Sequence[int] | None:
        return None if self.scattered else self.counts(folder, split)

    def read(self, path: Path, stamp: Stamp, index: int) -> Record:
        if _delimiter(path):
            columns, rows = _rows(path, stamp)
            if len(rows[index]) != len(columns):
                raise DataError(
                    f"row {index + 1} of {path} has {len(rows[index])} columns, its header {len(columns)}; is a quote "
                    "or a delimiter wrong?"
                )
            return dict(zip(columns, rows[index], strict=True))
        line = _line(path, stamp, index)
        try:
            record = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"line {index + 1} of {path} is no JSON in UTF-8: {error}") from error
        if not isinstance(record, dict):
            raise DataError(f"line {index + 1} of {path} is {type(record).__name__}, wanted an object")
        return record

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        path = folder / self.pattern.format(split=split).replace("*", "00000")
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
        with written(path) as part:
            part.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def _delimiter(path: Path) -> str | None:
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    return {".csv": ",", ".tsv": "\t"}.get(suffix)


@functools.lru_cache(maxsize=_KEPT)
def _content(path: Path, stamp: Stamp) -> bytes:
    """All of a file that can not be read at a place."""
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} can not be read: {error}; get it again") from error


@functools.lru_cache(maxsize=4096)
def _places(path: Path, stamp: Stamp) -> np.ndarray:
    """Where the lines that are not blank begin, and how long they are: [lines, 2].

    Raises:
      DataError: A line is too long to be a record.
    """
    places, at = [], 0
    lines = io.BytesIO(_content(path, stamp)) if path.suffix == ".gz" else _opened(path)
    with lines as file:
        while line := file.readline(_MOST_LINE + 1):
            if len(line) > _MOST_LINE:
                raise DataError(
                    f"{path} has a line of more than {_MOST_LINE} bytes; is it one record a line?"
                )
            if line.strip():
                places.append((at, len(line)))
            at += len(line)
    return np.array(places, np.int64).reshape(-1, 2)


def _opened(path: Path) -> io.BufferedReader:
    try:
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"{path} can not be read: {error}; get it again") from error


def _line(path: Path, stamp: Stamp, index: int) -> bytes:
    at, length = map(int, _places(path, stamp)[index])
    if path.suffix == ".gz":
        return _content(path, stamp)[at : at + length]
    with _opened(path) as file:
        file.seek(at)
        return file.read(length)


@functools.lru_cache(maxsize=_KEPT)
def _rows(path: Path, stamp: Stamp) -> tuple[list[str], list[list[str]]]:
    """The header of a table and its rows."""
    csv.field_size_limit(_MOST_LINE)  # a picture in base64 is longer than what Python expects
    try:
        text = _content(path, stamp).decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path) or ",", strict=True)
        found = [row for row in rows if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no table in UTF-8: {error}; save it again") from error
    if not found:
        raise DataError(f"{path} is empty; wanted a header and one row a record")
    return found[0], found[1:]
