"""Datasets in Parquet files, as Hugging Face stores them; needs the extra `data`. Rows are read by the row group."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_tasks.sources.shards import Sharded, Stamp, found, stamp, written
from data_tasks.sources.stored import Record
from unified_io.errors import ConfigError, DataError


@dataclasses.dataclass(frozen=True)
class Parquet(Sharded):
    """One record a row; structs are dictionaries, lists lists, binary columns bytes.

    Attributes:
      pattern: Files of a split below the dataset's folder, {split} and * in it.
    """

    pattern: str = "{split}*.parquet"

    @property
    def scattered(self) -> bool:
        return False

    def count(self, path: Path, stamp: Stamp) -> int:
        return sum(_groups(path, stamp))

    def blocks(self, folder: Path, split: str) -> Sequence[int]:
        paths = found(folder, self.pattern, split)
        return [rows for path in paths for rows in _groups(path, stamp(path))]

    def read(self, path: Path, stamp: Stamp, index: int) -> Record:
        bounds = np.cumsum([0, *_groups(path, stamp)])
        group = int(np.searchsorted(bounds, index, side="right")) - 1
        table = _group(path, stamp, group)
        return table.slice(index - int(bounds[group]), 1).to_pylist()[0]

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        arrow = _arrow()
        path = folder / self.pattern.format(split=split).replace("*", "-00000-of-00001")
        rows = [_plain(record) for record in records]
        with written(path) as part:
            arrow.parquet.write_table(arrow.Table.from_pylist(rows), part, row_group_size=_ROWS)


_ROWS = 100  # of a group; as many as Hugging Face has of pictures


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError('reading Parquet needs pyarrow: pip install "unified-io[data]"') from error
    return pyarrow


@functools.lru_cache(maxsize=4096)
def _groups(path: Path, stamp: Stamp) -> tuple[int, ...]:
    """How many rows each row group of a file has."""
    arrow = _arrow()
    try:
        about = arrow.parquet.read_metadata(path)
        return tuple(about.row_group(number).num_rows for number in range(about.num_row_groups))
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path} can not be read as Parquet: {error}; get it again") from error


@functools.lru_cache(maxsize=2)
def _group(path: Path, stamp: Stamp, number: int) -> Any:
    arrow = _arrow()
    try:
        with arrow.parquet.ParquetFile(path) as file:
            return file.read_row_group(number, use_threads=False)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"row group {number} of {path} can not be read: {error}; get it again") from error


def _plain(value: Any) -> Any:
    """A record without arrays, which Arrow takes only of one axis."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
