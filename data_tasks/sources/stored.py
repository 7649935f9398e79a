"""A dataset on disk, and a seqio source of what a mapping makes of it. Knows no format and no model."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from data_tasks.sources.record import checked, pack
from unified_io.errors import DataError
from unified_io.mel import MelConfig

Record = dict[str, Any]
"""What a dataset holds of one example, in its own words: nested dictionaries, lists, arrays, text, bytes."""
Make = Callable[[Record, "Context"], Any]
"""Makes a raw field of a record."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """How stored datasets are read, for all tasks at once; give it to a job as its source.

    Attributes:
      data_dir: Folder that holds one folder a dataset; None is the environment's UNIFIED_IO_DATA, else "data".
      mel: How spectrograms are taken.
      frames: Frames of a video, the last one being the current picture.
    """

    data_dir: str | None = None
    mel: MelConfig = MelConfig()
    frames: int = 5

    @property
    def folder(self) -> Path:
        """Where the datasets lie."""
        return Path(self.data_dir or os.environ.get("UNIFIED_IO_DATA", "data"))

    def in_place_of(self, declared: seqio.DataSource) -> seqio.DataSource:
        """Reads what a task declares in this way; sources of other kinds stay."""
        return declared.read_as(self) if isinstance(declared, Mapped) else declared


@dataclasses.dataclass(frozen=True)
class Context:
    """What a mapping may ask about the dataset it is applied to.

    Attributes:
      folder: The dataset's own.
      reading: How it is read.
      split: The split, in the dataset's words.
    """

    folder: Path
    reading: Reading
    split: str


@dataclasses.dataclass(frozen=True)
class Stored:
    """A dataset as it is stored, in one of the kinds of `data_tasks.sources`; examples are found by their number.

    Attributes:
      name: Its folder below `Reading.data_dir`.
    """

    name: str

    def length(self, folder: Path, split: str) -> int:
        """Returns how many records a split holds.

        Raises:
          DataError: There is no such file; says which.
        """
        raise NotImplementedError

    def record(self, folder: Path, split: str, index: int) -> Record:
        """Reads one record.

        Raises:
          DataError: It is broken; names file and record.
        """
        raise NotImplementedError

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        """Writes records as this kind of dataset; `record` reads them back."""
        raise NotImplementedError

    def files(self, folder: Path, split: str) -> list[str]:
        """Returns the files a split is read from, whether they are there or not."""
        return [str(folder / split)]

    def rows(self, context: Context) -> tf.data.Dataset:
        """Yields what `at` needs to read every record, in order: dictionaries of tensors."""
        return tf.data.Dataset.range(self.length(context.folder, context.split)).map(
            lambda index: {"index": index}
        )

    def at(self, context: Context, row: Mapping[str, np.ndarray]) -> Record:
        """Reads the record of one row."""
        return self.record(context.folder, context.split, int(row["index"]))


class Mapped(seqio.DataSource):
    """Yields `{"id", "record"}`: the raw fields of an example, packed (see `record.pack`).

    Args:
      stored: The dataset.
      fields: Raw field -> where it is in a record ("objects/bbox"), or what makes it (see `mapping`).
      splits: "train", "validation" or "test" -> the dataset's own name of it, a part of it after a colon:
        "train:2000-" is all but the first 2,000, "train:-2000" those.
      keep: Which records to use; None is all.
      each: Makes several records of one, such as one for every question; None leaves it.
      reading: How it is read.
    """

    def __init__(
        self,
        stored: Stored,
        fields: Mapping[str, str | Make],
        splits: Mapping[str, str],
        keep: Callable[[Record], bool] | None = None,
        each: Callable[[Record], Iterable[Record]] | None = None,
        reading: Reading = Reading(),
    ):
        super().__init__(splits=tuple(splits), caching_permitted=False)
        self.stored, self.fields, self.own, self.keep, self.each = (
            stored,
            dict(fields),
            dict(splits),
            keep,
            each,
        )
        self.reading = reading

    def read_as(self, reading: Reading) -> "Mapped":
        """Returns the same source, read in another way."""
        return Mapped(self.stored, self.fields, self.own, self.keep, self.each, reading)

    @property
    def supports_arbitrary_sharding(self) -> bool:
        return True

    def context(self, split: str) -> Context:
        """Where a split lies."""
        return Context(
            self.reading.folder / self.stored.name, self.reading, self.own[split].partition(":")[0]
        )

    def list_shards(self, split: str) -> list[str]:
        context = self.context(split)
        return self.stored.files(context.folder, context.split)

    def num_input_examples(self, split: str) -> int | None:
        context = self.context(split)
        first, last = _part(self.own[split], self.stored.length(context.folder, context.split))
        return last - first

    def get_dataset(
        self,
        split: str = "train",
        shuffle: bool = True,
        seed: int | None = None,
        shard_info: seqio.ShardInfo | None = None,
        **_: object,
    ) -> tf.data.Dataset:
        context = self.context(split)
        length = self.stored.length(context.folder, context.split)
        rows, (first, last) = self.stored.rows(context), _part(self.own[split], length)
        rows = rows.skip(first).take(last - first)
        if shuffle:
            rows = rows.shuffle(max(last - first, 1), seed=seed, reshuffle_each_iteration=False)
        if shard_info:
            rows = rows.shard(shard_info.num_shards, shard_info.index)
        keys = sorted(rows.element_spec)

        def make(*values: np.ndarray) -> list[np.ndarray]:
            made = [(raw["id"], pack(raw)) for raw in self.raw(split, dict(zip(keys, values, strict=True)))]
            return [np.array([item[side] for item in made], object) for side in (0, 1)]

        def read(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            ids, records = tf.numpy_function(make, [row[key] for key in keys], [tf.string, tf.string])
            return {"id": tf.ensure_shape(ids, [None]), "record": tf.ensure_shape(records, [None])}

        return rows.map(read).unbatch()

    def raw(self, split: str, row: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """Makes the raw examples of one row.

        Raises:
          DataError: A field is missing or wrong; names dataset, record and field.
        """
        context = self.context(split)
        number = int(row["index"]) if "index" in row else ""
        where = f"{self.stored.name} {context.split} {number}".strip()
        try:
            record = self.stored.at(context, row)
            if self.keep is not None and not self.keep(record):
                return []
            made = []
            for part, one in enumerate(self.each(record) if self.each else [record]):
                where = f"{self.stored.name} {context.split} {number}{f'.{part}' if self.each else ''}"
                fields = {key: self._field(key, make, one, context) for key, make in self.fields.items()}
                raw = {"id": where, "training": split == "train", **fields}
                made.append(checked({**raw, "id": str(raw["id"])}))
            return made
        except (ValueError, KeyError, IndexError, TypeError, OSError) as error:
            reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
            raise DataError(f"{where}: {reason}") from error

    def _field(self, key: str, make: str | Make, record: Record, context: Context) -> Any:
        try:
            return find(record, make) if isinstance(make, str) else make(record, context)
        except KeyError as error:
            raise DataError(
                f"field {key}: {error.args[0]!r} is missing; the record has {_has(record)}"
            ) from error


def find(record: Record, path: str) -> Any:
    """Returns what stands at a path of a record; through a list it collects: "objects/bbox" of every object.

    Raises:
      KeyError: It is not there.
    """
    value: Any = record
    parts = path.split("/")
    for number, part in enumerate(parts):
        if isinstance(value, list):
            rest = "/".join(parts[number:])
            return [find(one, rest) for one in value]
        if not isinstance(value, Mapping) or part not in value:
            raise KeyError(path)
        value = value[part]
    return value


def _has(record: Record) -> str:
    return ", ".join(sorted(map(str, record))) or "nothing"


def _part(name: str, length: int) -> tuple[int, int]:
    first, dash, last = name.partition(":")[2].partition("-")
    begin = int(first or 0)
    end = int(last) if last else (length if dash or not first else begin + 1)
    return min(begin, length), min(end, length)
