"""The order in which records are read, computed from a seed and never stored. Knows no dataset."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True)
class Span:
    """Which records of a split are read, and in what order.

    Attributes:
      first: The first one.
      last: The one behind the last; None is the end.
      seed: Seeds the order; None is the stored one.
      shard: Which part of them.
      shards: Of how many parts, which share no record and leave none out.
    """

    first: int = 0
    last: int | None = None
    seed: int | None = None
    shard: int = 0
    shards: int = 1

    def share(self, length: int | None) -> tuple[int, int]:
        """Returns the first record of this part and the one behind its last, parts lying one behind the other.

        Raises:
          DataError: The number of records is not known, and there are several parts.
        """
        last = length if self.last is None else min(self.last, self.last if length is None else length)
        if last is None:
            raise DataError("a dataset whose length is not known has no parts; give its split an end")
        count = max(last - self.first, 0)
        return self.first + count * self.shard // self.shards, (
            self.first + count * (self.shard + 1) // self.shards
        )


def one_by_one(length: int | None, span: Span) -> tf.data.Dataset:
    """Yields the numbers of records as {"index"}: any record at any place, shards taking turns.

    Args:
      length: How many there are.
      span: Which to yield.
    """
    first, last = dataclasses.replace(span, shard=0, shards=1).share(length)
    numbers = tf.data.Dataset.range(span.shard, last - first, span.shards)
    return numbers.map(lambda number: {"index": first + _shuffled(number, last - first, span.seed)})


def by_block(blocks: Sequence[int], span: Span) -> tf.data.Dataset:
    """Yields the numbers of records as {"index"}: blocks in an order of their own, and so the records of each.

    Args:
      blocks: How many records each holds.
      span: Which to yield.
    """
    bounds = np.cumsum([0, *blocks])
    first, last = span.share(int(bounds[-1]))
    inside = np.clip(bounds, first, last)
    begins, ends = inside[:-1][np.diff(inside) > 0], inside[1:][np.diff(inside) > 0]
    starts, counts = tf.constant(begins, tf.int64), tf.constant(ends - begins, tf.int64)
    keys = tf.constant([(span.seed or 0) & 0x7FFFFFFF, 0], tf.int64)

    def block(place: tf.Tensor) -> tf.data.Dataset:
        number = _shuffled(place, len(begins), span.seed)
        start, count = starts[number], counts[number]
        places = tf.data.Dataset.range(count)
        if span.seed is not None:
            own = tf.cast(keys + [0, number + 1], tf.int32)
            places = places.map(lambda i: tf.random.experimental.index_shuffle(i, own, count - 1))
        return places.map(lambda i: {"index": start + i})

    return tf.data.Dataset.range(len(begins)).flat_map(block)


def _shuffled(number: tf.Tensor, count: int, seed: int | None) -> tf.Tensor:
    """Returns which of `count` things stands at a place of the order of a seed."""
    if seed is None or count < 2:
        return number
    keys = tf.constant([seed & 0x7FFFFFFF, seed >> 31 & 0x7FFFFFFF], tf.int32)
    return tf.random.experimental.index_shuffle(number, keys, tf.constant(count - 1, tf.int64))
