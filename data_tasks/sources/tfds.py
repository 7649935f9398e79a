"""Datasets of TensorFlow Datasets, read through tf.data; the network is never asked. Knows no task."""

import dataclasses
import functools
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from data_tasks.sources.nested import as_records, flat
from data_tasks.sources.order import Span
from data_tasks.sources.stored import Context, Reading, Record, Stored
from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True)
class Tfds(Stored):
    """Examples of a builder as it stores them; a list of dictionaries is one, coloured pictures are bytes of a file.

    In training files come in an order of their own, and are read one behind the other: the buffer of the task mixes
    them. Nothing is known of examples by number, so they are called by file and place.

    Attributes:
      builder: As in `tfds.load`, with a configuration: "coco/2017".
      version: Version of the data; None is the newest that is there.
    """

    builder: str
    version: str | None = None

    @property
    def scattered(self) -> bool:
        return False

    def built(self, folder: Path) -> Any:
        """Returns the builder, which looks into the dataset's folder, or, without that, where tfds keeps its data.

        Raises:
          DataError: tfds has none of this name, or it can not be made without the network.
        """
        name = f"{self.builder}:{self.version}" if self.version else self.builder
        try:
            return tfds.builder(name, data_dir=str(folder) if folder.is_dir() else None)
        except Exception as error:  # a builder may run any code of its own
            raise DataError(
                f"tfds can not make the builder {name!r} ({type(error).__name__}: {_first_line(error)}); look at its "
                "name and version, and at `pip show tensorflow-datasets`"
            ) from error

    def length(self, folder: Path, split: str) -> int | None:
        builder = self.built(folder)
        if split in builder.info.splits:
            return builder.info.splits[split].num_examples
        self._dataset(builder, split, Span())
        return None

    def rows(self, context: Context, span: Span = Span()) -> tf.data.Dataset:
        builder = self.built(context.folder)
        known = builder.info.splits
        length = known[context.split].num_examples if context.split in known else None
        part, rest = context.split, span
        if length is not None:
            first, last = span.share(length)
            part, rest = f"{context.split}[{first}:{last}]", Span()
            if first == last:
                return self._dataset(builder, context.split, span).take(0).map(flat)
        rows = self._dataset(builder, part, span).skip(rest.first)
        if rest.last is not None:
            rows = rows.take(rest.last - rest.first)
        return rows.shard(rest.shards, rest.shard).map(flat)

    def at(self, context: Context, row: Mapping[str, np.ndarray]) -> Record:
        return as_records(dict(row), _features(self, context.folder))

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        """Writes records with the features of the builder; for samples: other splits are written again beside it."""
        folder.mkdir(parents=True, exist_ok=True)
        builder = self.built(folder)
        name = self.builder.partition("/")[0]
        config = builder.builder_config.name if builder.builder_config else None
        self.store(folder, name, config, builder.info.features, str(builder.version), {split: list(records)})

    def files(self, folder: Path, split: str) -> list[str]:
        builder = self.built(folder)
        info = builder.info.splits.get(split) if split in builder.info.splits else None
        return [str(path) for path in info.filepaths] if info else [f"{self.builder}-{split}"]

    def _dataset(self, builder: Any, split: str, span: Span) -> tf.data.Dataset:
        # Where tfds makes examples up for a test, it can not do so with pictures as bytes.
        stored = split.partition("[")[0] in builder.info.splits
        options = tf.data.Options()
        options.deterministic = True
        config = tfds.ReadConfig(
            options=options,
            shuffle_seed=span.seed,
            shuffle_reshuffle_each_iteration=False,
            interleave_cycle_length=1,
            add_tfds_id=True,
            try_autocache=False,
            skip_prefetch=True,
            enable_ordering_guard=False,  # we shuffle, whatever the order it was written in
        )
        try:
            return builder.as_dataset(
                split=split,
                shuffle_files=span.seed is not None,
                read_config=config,
                decoders=_undecoded(builder) if stored else None,
            )
        except (AssertionError, ValueError, KeyError, OSError) as error:
            raise DataError(
                f"no data of {builder.info.full_name} {split!r} in {builder.data_dir}; where there is a network: "
                f"tfds build {self.builder} --data_dir FOLDER, and put it there "
                f"({_first_line(error)})"
            ) from error

    def store(
        self,
        folder: Path,
        name: str,
        config: str | None,
        features: Any,
        version: str,
        splits: dict[str, list[Record]],
    ) -> None:
        """Writes splits as a dataset of tfds, in the order of their records, and with them those that are there."""
        place = folder.joinpath(*filter(None, (name, config, version)))
        if place.is_dir():
            there = self.built(folder)
            for split in there.info.splits.keys() - splits.keys():
                context = Context(folder, Reading(), split)
                rows = self.rows(context).as_numpy_iterator()
                splits = splits | {split: [self.at(context, row) for row in rows]}
            shutil.rmtree(place)
        tfds.disable_progress_bar()
        about = tfds.core.BuilderConfig(name=config, version=version) if config else None
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            config=about,
            features=features,
            split_datasets={split: list(enumerate(records)) for split, records in splits.items()},
            data_dir=str(folder),
            disable_shuffling=True,
        )
        _features.cache_clear()


def _undecoded(builder: Any) -> dict[str, Any] | None:
    """Leaves coloured pictures as bytes: a broken one is then an error that names its record, not one of TensorFlow."""
    found = {
        key: tfds.decode.SkipDecoding()
        for key, feature in builder.info.features.items()
        if type(feature) is tfds.features.Image and feature.shape[-1] == 3 and feature.dtype == np.uint8
    }
    return found or None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


@functools.lru_cache(maxsize=64)
def _features(stored: Tfds, folder: Path) -> Any:
    return stored.built(folder).info.features
