"""The examples of one task from a place on, epoch after epoch: each once an epoch, shared out to groups."""

import itertools
import os
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from unified_io.data import pipeline
from unified_io.data.position import Place
from unified_io.errors import DataError

# A group reads its files in so many parts, one after the other. To go on in the middle of a part, its raw records
# up to there are read again, and no others.
_MOST_PARTS = 32
# Opening a part costs as much as reading some hundred records.
_SMALLEST_PART = 2048
# Files that an error names.
_FEW = 3


class EmptySource(DataError):
    """A source without a single example; no other example can take its place."""


class Records:
    """Reads one task for one group of a batch: files in an order of its own every epoch, shuffled within a part.

    What a place holds depends on the seed, the source and the number of groups; what a task draws for it (an
    augmentation) depends on `draw` too. Groups never share a record. Places are counted in raw records: a task whose
    preprocessors drop or multiply examples goes on, after a new start, only about where it stopped.

    A source that shuffles itself and does not know how many examples it has is endless: it draws at random, and has
    no places worth keeping. It is drawn anew for every `draw`.
    """

    def __init__(
        self,
        task: seqio.Task,
        split: str,
        *,
        seed: int,
        draw: int,
        group: int = 0,
        groups: int = 1,
        place: Place | None = None,
        waiting: Sequence[Place | None] = (),
    ):
        """Sets up the reading; nothing is read before the first example is asked for.

        Args:
          task: A bound task.
          split: A split of its source.
          seed: Seeds the order.
          draw: Seeds what the task draws.
          group: Which group this is for.
          groups: How many share the source.
          place: Where to go on; None is the start.
          waiting: Places of examples to read again first, in the order in which they were read.
        """
        self._task, self._split, self._group, self._groups = task, split, group, groups
        self._endless = is_endless(task.source, split)
        self._seed = pipeline.fold(draw if self._endless else seed, task.name)
        self._draw = pipeline.fold(draw, task.name, group)
        self._parts = 1 if self._endless else _parts(task.source, split, groups)
        self._here = place or Place()
        self._found = self._here != Place(self._here.epoch)
        self._rows: Iterator[dict[str, Any]] | None = None
        self._where = ""
        at_once = itertools.groupby((at for at in waiting if at), key=lambda at: (at.epoch, at.part))
        self._waiting = deque(deque(several) for _, several in at_once)

    @property
    def place(self) -> Place | None:
        """Where the next example lies; None of an endless source."""
        return None if self._endless else self._here

    def again(self) -> tuple[dict[str, Any], Place | None]:
        """Reads the next of the waiting examples, all of them before any other; of an endless source another one.

        Raises:
          StopIteration: There is none left: the source gave less than the last time.
          DataError: It can not be read.
        """
        while not self._endless and self._waiting:
            places = self._waiting[0]
            if self._rows is None:
                self._rows = self._open(places)
            rows, at = self._rows, places.popleft()
            if not places:
                self._waiting.popleft()
                if not self._goes_on(at):
                    self._rows = None
            try:
                return next(rows), at
            except DataError as error:
                raise DataError(f"{error}{self._where}") from error
            except StopIteration:
                self._rows = None
                if places:
                    self._waiting.popleft()
        if self._endless:
            return next(self)
        raise StopIteration

    def __next__(self) -> tuple[dict[str, Any], Place | None]:
        """Reads the next example and says where it lay.

        Raises:
          EmptySource: There is not one in a whole epoch.
          DataError: It can not be read; ask again for the one behind it.
        """
        while True:
            if self._rows is None:
                self._rows = self._open(())
            here = self.place
            try:
                row = next(self._rows)
            except StopIteration:
                self._rows = None
                self._next_part()
            except DataError as error:
                self._step()
                raise DataError(f"{error}{self._where}") from error
            else:
                self._step()
                return row, here

    def _step(self) -> None:
        self._found = True
        self._here = Place(self._here.epoch, self._here.part, self._here.index + 1)

    def _next_part(self) -> None:
        if self._here.part + 1 < self._parts:
            self._here = Place(self._here.epoch, self._here.part + 1)
            return
        if not self._found:
            whose = f" for group {self._group} of {self._groups}" if self._groups > 1 else ""
            raise EmptySource(
                f"{self._task.name} holds no example in split {self._split!r}{whose}; "
                "look at its source, or leave it out of the mixture"
            )
        self._here, self._found = Place(self._here.epoch + 1), False

    def _goes_on(self, at: Place) -> bool:
        """Says whether the part of a waiting example is the one in which reading goes on."""
        return (at.epoch, at.part) == (self._here.epoch, self._here.part)

    def _open(self, again: Sequence[Place]) -> Iterator[dict[str, Any]]:
        """Opens one part, to read single records again, or to go on where it was, or both."""
        at = again[0] if again else self._here
        order = pipeline.fold(self._seed, at.epoch)
        rng = np.random.default_rng(pipeline.fold(order, "parts", self._group))
        number = self._group + self._groups * int(rng.permutation(self._parts)[at.part])
        shard = seqio.ShardInfo(number, self._groups * self._parts)
        self._where = _where(self._task.source, self._split, shard)
        part = _Part(
            self._task.source,
            order,
            shard,
            self._task.shuffle_buffer_size,
            [place.index for place in again],
            self._here.index if self._goes_on(at) else None,
        )
        task = self._task.replace(source=part, shuffle_buffer_size=None)
        return pipeline.examples(task, self._split, seed=pipeline.fold(self._draw, at.epoch, at.part))


class _Part(seqio.DataSource):
    """What one group reads of a source at a stretch, in the order of one epoch."""

    def __init__(
        self,
        whole: seqio.DataSource,
        seed: int,
        shard: seqio.ShardInfo,
        buffer: int | None,
        single: Sequence[int],
        onwards: int | None,
    ):
        super().__init__(splits=whole.splits, caching_permitted=False, performs_internal_shuffling=True)
        self._whole, self._seed, self._shard, self._buffer = whole, seed, shard, buffer
        self._single, self._onwards = single, onwards

    @property
    def supports_arbitrary_sharding(self) -> bool:
        return True

    def list_shards(self, split: str) -> list[str]:
        return [split]

    def get_dataset(self, split: str = "train", *_: object, **__: object) -> tf.data.Dataset:
        shard, whole = self._shard, self._whole
        first, *_ = [*self._single, self._onwards]
        # A source that makes its records should not make again what is only to be counted.
        ahead = getattr(whole, "starts_anywhere", False) and not self._buffer
        start = {"first": first} if ahead else {}
        # The source's own shuffling has one seed for all groups: their shards would overlap with several.
        if shard.num_shards == 1:
            records = whole.get_dataset(split=split, shuffle=True, seed=self._seed, **start)
        elif whole.supports_arbitrary_sharding or len(whole.list_shards(split)) >= shard.num_shards:
            records = whole.get_dataset(split=split, shuffle=True, seed=self._seed, shard_info=shard, **start)
        else:
            ahead, records = False, whole.get_dataset(split=split, shuffle=True, seed=self._seed)
            records = records.shard(shard.num_shards, shard.index)
        if self._buffer:
            own = pipeline.fold(self._seed, shard.index)
            records = records.shuffle(self._buffer, seed=own, reshuffle_each_iteration=False)
        records = records if ahead else records.skip(first)
        if not self._single:
            return records
        if self._onwards is None:
            records = records.take(self._single[-1] - first + 1)
        end = np.iinfo(np.int64).max if self._onwards is None else self._onwards - first
        single = tf.constant([index - first for index in self._single], tf.int64)
        chosen = records.enumerate().filter(lambda i, _: (i >= end) | tf.reduce_any(i == single))
        return chosen.map(lambda _, record: record)

    def num_input_examples(self, split: str) -> None:
        return None


def is_endless(source: seqio.DataSource, split: str) -> bool:
    """Says whether a source draws its examples at random without end."""
    return source.performs_internal_shuffling and source.num_input_examples(split) is None


def _where(source: seqio.DataSource, split: str, shard: seqio.ShardInfo) -> str:
    """Says which files a part of a source is read from, for an error; nothing where it has no files."""
    files = [name for name in source.list_shards(split) if os.path.isfile(name)]
    mine = files[shard.index :: shard.num_shards] if len(files) >= shard.num_shards else files
    if not mine:
        return ""
    return f"; read from {', '.join(mine[:_FEW])}{' and others' if len(mine) > _FEW else ''}"


def _parts(source: seqio.DataSource, split: str, groups: int) -> int:
    count, most = source.num_input_examples(split), _MOST_PARTS
    if count is not None:
        most = min(most, max(count // groups // _SMALLEST_PART, 1))
    return min(max(len(source.list_shards(split)) // groups, 1), most)
