"""How the released Unified-IO 2 packs and batches a stream: what our planner is measured against. Pure Python.

Nothing trains with this. Both walk a stream once and hold some examples back in a pool; an example is its place in
the stream, counted from 0. When the stream ends the pool is not emptied: what stayed behind is in `waiting`.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from unified_io.errors import ConfigError


class Length(NamedTuple):
    """Real tokens of an example, or of a pair of them, on either side."""

    encoder: int
    decoder: int

    @property
    def total(self) -> int:
        """Tokens of both sides."""
        return self.encoder + self.decoder


@dataclasses.dataclass
class Pairs:
    """Folds a stream two by two: an iterator of (arriving, partner), the partner None for an example alone.

    An arriving example is paired with the longest in the pool that fits. Where none fits it waits in the pool, or,
    the pool being full, the longest of them all goes alone. Examples over a limit go alone too, never cut.

        max_encoder 10, max_decoder 10, pool_size 1
        lengths    (6, 1)  (7, 1)  (3, 9)
        pairs      -       (1, None)  (2, 0)

    Attributes:
      lengths: (encoder, decoder) tokens of every example.
      max_encoder: Encoder tokens of a pair at most.
      max_decoder: Decoder tokens likewise.
      pool_size: Examples that wait for a partner.
      waiting: What is in the pool; the released pipeline loses it when the stream ends.
      dropped: Examples of pairs without any target token, which are left out.

    Raises:
      ConfigError: The pool has no room.

    Source: the released PackingStrategy; facts of the official JAX code.
    """

    lengths: Iterable[tuple[int, int]]
    _: dataclasses.KW_ONLY
    max_encoder: int
    max_decoder: int
    pool_size: int = 10
    waiting: list[int] = dataclasses.field(default_factory=list, init=False)
    dropped: list[int] = dataclasses.field(default_factory=list, init=False)

    def __post_init__(self):
        _check_pool(self.pool_size)

    def __iter__(self) -> Iterator[tuple[int, int | None]]:
        pool: list[tuple[int, Length] | None] = [None] * self.pool_size
        self.waiting, self.dropped = [], []
        for index, length in enumerate(self.lengths):
            out = self._meet(pool, index, Length(*length))
            self.waiting = [slot[0] for slot in pool if slot]
            if not out:
                continue
            (first, length), *partner = out
            second = partner[0][0] if partner else None
            if length.decoder + sum(other.decoder for _, other in partner):
                yield first, second
            else:
                self.dropped += [first] if second is None else [first, second]

    def _meet(
        self, pool: list[tuple[int, Length] | None], index: int, length: Length
    ) -> list[tuple[int, Length]]:
        """Lets an example meet the pool, and changes it; returns who leaves: nobody, one or two."""
        held = [(slot, *entry) for slot, entry in enumerate(pool) if entry]
        fitting = [
            (slot, other, its)
            for slot, other, its in held
            if length.encoder + its.encoder <= self.max_encoder
            and length.decoder + its.decoder <= self.max_decoder
        ]
        if fitting:
            slot, other, its = max(fitting, key=lambda entry: entry[2].total)
            pool[slot] = None
            return [(index, length), (other, its)]
        if None in pool:
            pool[pool.index(None)] = (index, length)
            return []
        slot, other, its = max(held, key=lambda entry: entry[2].total)
        if length.total >= its.total:
            return [(index, length)]
        pool[slot] = (index, length)
        return [(other, its)]


@dataclasses.dataclass
class Batches:
    """Cuts a stream into batches that are within limits: an iterator of the examples of each, short ones included.

    An arriving example that would exceed a limit waits in a pool. A batch goes when it is full, or when the pool is;
    the next one starts with the one example that has waited longest, and the others wait on: they only come out
    one a batch. An example over a limit by itself is in a batch of its own.

        batch_size 2, max_counts (3,), pool_size 2
        counts     (2,)  (2,)  (1,)    (1,)    (3,)
        batches    -     -     (0, 2)  (1, 3)  -        4 waits

    Attributes:
      counts: How much every example takes of each limit, e.g. frames of its histories.
      batch_size: Examples of a batch at most.
      max_counts: The limits of a batch.
      pool_size: Examples that wait.
      waiting: What is in the open batch and in the pool; the released pipeline loses it when the stream ends.

    Raises:
      ConfigError: A batch or the pool has no room.

    Source: the released constraints on history frames; facts of the official JAX code. There a pool that refills
      a batch with more than one example was intended, and does not happen.
    """

    counts: Iterable[Sequence[int]]
    _: dataclasses.KW_ONLY
    batch_size: int
    max_counts: Sequence[int]
    pool_size: int = 10
    waiting: list[int] = dataclasses.field(default_factory=list, init=False)

    def __post_init__(self):
        _check_pool(self.pool_size)
        if self.batch_size < 1:
            raise ConfigError(f"batch_size is {self.batch_size}; a batch needs room for at least 1 example")

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        batch: list[tuple[int, Sequence[int]]] = []
        pool: deque[tuple[int, Sequence[int]]] = deque()
        self.waiting = []
        for example in enumerate(self.counts):
            (batch if self._fits(batch, example[1]) else pool).append(example)
            while len(batch) == self.batch_size or len(pool) == self.pool_size:
                full, batch = batch, [pool.popleft()] if pool else []
                self.waiting = [index for index, _ in (*batch, *pool)]
                if full:
                    yield tuple(index for index, _ in full)
            self.waiting = [index for index, _ in (*batch, *pool)]

    def _fits(self, batch: Sequence[tuple[int, Sequence[int]]], counts: Sequence[int]) -> bool:
        totals = (sum(kind) for kind in zip(counts, *(other for _, other in batch), strict=True))
        return all(total <= limit for total, limit in zip(totals, self.max_counts, strict=True))


def _check_pool(size: int) -> None:
    if size < 1:
        raise ConfigError(f"pool_size is {size}; the released heuristics need room for at least 1 example")
