"""A dataset on disk, and a seqio source of what a mapping makes of it. Knows no format and no model."""

import dataclasses
import os
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from data_tasks.sources.order import Span, by_block, one_by_one
from data_tasks.sources.record import checked, pack
from unified_io.errors import ConfigError, DataError
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

    def has(self, declared: seqio.DataSource) -> bool:
        """Says whether a split of a declared source is here; sources of other kinds see to that themselves."""
        if not isinstance(declared, Mapped):
            return True
        contexts = [declared.read_as(self).context(split) for split in declared.splits]
        return any(declared.stored.present(context.folder, context.split) for context in contexts)

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
      training: Whether the records are trained on.
      seed: What whatever is drawn for this record is seeded with.
    """

    folder: Path
    reading: Reading
    split: str
    training: bool = False
    seed: tuple[int, ...] = (0,)

    def draw(self, field: str) -> np.random.Generator:
        """Returns a generator for a field of this record; fields that are to draw alike give the same name."""
        return np.random.default_rng([*self.seed, zlib.crc32(field.encode())])


@dataclasses.dataclass(frozen=True)
class Stored:
    """A dataset as it is stored, in one of the kinds of `data_tasks.sources`; examples are found by their number.

    Attributes:
      name: Its folder below `Reading.data_dir`.
    """

    name: str

    def length(self, folder: Path, split: str) -> int | None:
        """Returns how many records a split holds; None where that is not known.

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

    def present(self, folder: Path, split: str) -> bool:
        """Says whether a split is here; what is made up always is."""
        try:
            return all(Path(file).exists() for file in self.files(folder, split))
        except (OSError, ValueError):
            return False

    @property
    def scattered(self) -> bool:
        """Whether any record may come at any place of an order; where not, a buffer has to mix them."""
        return True

    def blocks(self, folder: Path, split: str) -> Sequence[int] | None:
        """Returns how many records each block holds, where they are read by the block; None where one by one."""
        return None

    def rows(self, context: Context, span: Span = Span()) -> tf.data.Dataset:
        """Yields what `at` needs to read each record: dictionaries of tensors, with "index" or "name" to call it by.

        An order is computed, never stored: it costs no memory, however many records there are. Where they are read by
        the block, blocks come in an order of their own and records within them; the task's buffer mixes the rest.
        """
        blocks = self.blocks(context.folder, context.split)
        if blocks is not None:
            return by_block(blocks, span)
        return one_by_one(self.length(context.folder, context.split), span)

    def at(self, context: Context, row: Mapping[str, np.ndarray]) -> Record:
        """Reads the record of one row.

        Raises:
          DataError: As `record`.
        """
        return self.record(context.folder, context.split, int(row["index"]))


class Mapped(seqio.DataSource):
    """Yields `{"id", "record"}`: the raw fields of an example, packed (see `record.pack`).

    Args:
      stored: The dataset.
      fields: Raw field -> where it is in a record ("objects/bbox"), or what makes it (see `mapping`).
      splits: "train", "validation" or "test" -> the dataset's own name of it, a part of it after a colon:
        "train:2000-" is all but the first 2,000, "train:-2000" those, "train:7" one.
      keep: Which records to use; None is all.
      each: Makes several records of one, such as one for every question; None leaves it.
      reading: How it is read.
      reworded: Splits that are asked for in held-out wordings; None is all but "train".
    """

    def __init__(
        self,
        stored: Stored,
        fields: Mapping[str, str | Make],
        splits: Mapping[str, str],
        keep: Callable[[Record], bool] | None = None,
        each: Callable[[Record], Iterable[Record]] | None = None,
        reading: Reading = Reading(),
        reworded: Collection[str] | None = None,
    ):
        super().__init__(
            splits=tuple(splits), caching_permitted=False, performs_internal_shuffling=stored.scattered
        )
        self.stored, self.fields, self.own, self.keep, self.each = (
            stored,
            dict(fields),
            dict(splits),
            keep,
            each,
        )
        self.reading, self.reworded = reading, reworded

    def read_as(self, reading: Reading) -> "Mapped":
        """Returns the same source, read in another way."""
        return Mapped(self.stored, self.fields, self.own, self.keep, self.each, reading, self.reworded)

    @property
    def supports_arbitrary_sharding(self) -> bool:
        return True

    @property
    def starts_anywhere(self) -> bool:
        """Whether `get_dataset` takes `first`: where every row is one record, those before need not be made."""
        return self.keep is None and self.each is None

    def context(self, split: str) -> Context:
        """Where a split lies."""
        own = self.own[split].partition(":")[0]
        return Context(self.reading.folder / self.stored.name, self.reading, own, split == "train")

    def list_shards(self, split: str) -> list[str]:
        context = self.context(split)
        return self.stored.files(context.folder, context.split)

    def num_input_examples(self, split: str) -> int | None:
        context = self.context(split)
        span, length = _part(self.own[split]), self.stored.length(context.folder, context.split)
        if length is None and span.last is None:
            return None
        first, last = span.share(length)
        return last - first

    def get_dataset(
        self,
        split: str = "train",
        shuffle: bool = True,
        seed: int | None = None,
        shard_info: seqio.ShardInfo | None = None,
        first: int = 0,
        **_: object,
    ) -> tf.data.Dataset:
        context, seed = self.context(split), seed or 0
        span = dataclasses.replace(_part(self.own[split]), seed=seed if shuffle else None)
        if shard_info:
            span = dataclasses.replace(span, shard=shard_info.index, shards=shard_info.num_shards)
        rows = self.stored.rows(context, span).skip(first)
        keys = sorted(rows.element_spec)

        def make(*values: np.ndarray) -> list[np.ndarray]:
            row = dict(zip(keys, values, strict=True))
            made = [(raw["id"].encode(), pack(raw)) for raw in self.raw(split, row, seed)]
            return [np.array([item[side] for item in made], object) for side in (0, 1)]

        def read(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            ids, records = tf.numpy_function(make, [row[key] for key in keys], [tf.string, tf.string])
            return {"id": tf.ensure_shape(ids, [None]), "record": tf.ensure_shape(records, [None])}

        return rows.map(read).unbatch()

    def raw(self, split: str, row: Mapping[str, np.ndarray], seed: int = 0) -> list[dict[str, Any]]:
        """Makes the raw examples of one row.

        Args:
          split: Ours.
          row: One of `Stored.rows`.
          seed: Seeds what is drawn for it.

        Raises:
          DataError: A field is missing or wrong; names dataset, split, record and field.
        """
        context = self.context(split)
        number = str(int(row["index"])) if "index" in row else bytes(row["name"]).decode(errors="replace")
        where = f"{self.stored.name} {context.split} {number}"
        reworded = not context.training if self.reworded is None else split in self.reworded
        context = dataclasses.replace(context, seed=(seed, zlib.crc32(where.encode())))
        try:
            record = self.stored.at(context, row)
            if self.keep is not None and not self.keep(record):
                return []
            made = []
            for part, one in enumerate(self.each(record) if self.each else [record]):
                where = f"{self.stored.name} {context.split} {number}{f'.{part}' if self.each else ''}"
                fields = {key: self._field(key, make, one, context) for key, make in self.fields.items()}
                raw = {"id": where, "training": context.training, "reworded": reworded, **fields}
                if isinstance(raw["id"], int | np.integer):
                    raw["id"] = str(raw["id"])
                made.append(checked(raw))
            return made
        except _MISTAKES as error:
            raise DataError(f"{where}: {_reason(error)}") from error

    def _field(self, key: str, make: str | Make, record: Record, context: Context) -> Any:
        try:
            return find(record, make) if isinstance(make, str) else make(record, context)
        except KeyError as error:
            raise DataError(f"field {key}: {_reason(error)}; the record has {_has(record)}") from error
        except _MISTAKES as error:
            raise DataError(f"field {key}: {_reason(error)}") from error


# What code meets in a record that is not as it thought: any of them means that the record is no good.
_MISTAKES = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    OSError,
    EOFError,
)


def _reason(error: BaseException) -> str:
    if isinstance(error, DataError):
        return str(error)
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing" if error.args else "something is missing"
    return f"{type(error).__name__}: {error}"


def find(record: Record, path: str) -> Any:
    """Returns what stands at a path of a record; through a list it collects: "objects/bbox" of every object.

    Raises:
      KeyError: It is not there.
    """
    value: Any = record
    parts = path.split("/")
    for number, part in enumerate(parts):
        rest = "/".join(parts[number:])
        if isinstance(value, list):
            return [find(one, rest) for one in value]
        if isinstance(value, Mapping) and rest in value:  # names may have slashes of their own
            return value[rest]
        if not isinstance(value, Mapping) or part not in value:
            raise KeyError(path)
        value = value[part]
    return value


def _has(record: Record) -> str:
    return ", ".join(sorted(map(str, record))) or "nothing"


def _part(name: str) -> Span:
    """Reads which part of a split a name means.

    Raises:
      ConfigError: It can not be read.
    """
    part = name.partition(":")[2]
    first, dash, last = part.partition("-")
    if not all(side.isdecimal() for side in (first, last) if side) or part == "-":
        raise ConfigError(f"a split {name!r}; write a part of one as train:100-200, train:100- or train:-100")
    begin = int(first or 0)
    return Span(begin, int(last) if last else None if dash or not first else begin + 1)
