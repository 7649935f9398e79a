"""One group of a batch: its own part of every source, mixed, prepared and packed by itself.

No group looks at another one, so it does not matter which host makes it.
"""

import itertools
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

import seqio

from unified_io.data import pipeline
from unified_io.data.mixture import turns
from unified_io.data.packer import Packed, Packer, Prepared, prepare
from unified_io.data.position import GroupPosition, Place
from unified_io.data.quarantine import Quarantine
from unified_io.data.records import EmptySource, Records
from unified_io.errors import DataError


def usable(row: Mapping[str, Any], packer: Packer, *, seed: int, training: bool) -> Prepared:
    """Prepares an example that can be learnt from and packed.

    Raises:
      DataError: It can not; says why.
    """
    example = prepare(row, packer.inputs, packer.targets, seed=seed, training=training)
    if not example.lengths.decoder:
        raise DataError("it has no target token")
    if not example.lengths.encoder:
        # With nothing of its own to read, its target would attend to all of the row, its neighbours included.
        raise DataError("it has no input token; give every example a prompt")
    if reason := packer.budgets.why_never(example.lengths):
        raise DataError(reason)
    return example


class Lane:
    """Makes one group's batches in one chunk: first from what the last chunk left waiting, then in turns by rate."""

    def __init__(
        self,
        tasks: Mapping[str, seqio.Task],
        rates: Mapping[str, float],
        packer: Packer,
        split: str,
        *,
        seed: int,
        chunk: int,
        group: int,
        groups: int,
        begin: GroupPosition,
        quarantine: Quarantine,
    ):
        """Sets up a lane; nothing is read before the first batch.

        Args:
          tasks: Bound tasks by name.
          rates: How often each has its turn.
          packer: Packs batches of one group.
          split: The split to read.
          seed: Seeds the order of the sources.
          chunk: Seeds, with it, whose turn it is and what tasks and modalities draw.
          group: Which group this is.
          groups: How many there are.
          begin: Where it was at the start of the chunk.
          quarantine: Takes what can not be used.
        """
        self._tasks, self._rates, self._packer, self._split = tasks, rates, packer, split
        self._draw = pipeline.fold(seed, chunk, group)
        self._chunk_seed = pipeline.fold(seed, "chunk", chunk)
        self._seed, self._group, self._groups = seed, group, groups
        self._begin, self._quarantine = begin, quarantine
        self._readers: dict[str, Records] = {}
        self._buffer: list[tuple[Prepared, Place | None]] = []
        self._unread = deque(begin.waiting)
        self.seen = Counter(begin.seen)

    def batches(self) -> Iterator[Packed]:
        """Yields batches of one group for ever."""
        for packed in self._packer.batches(self._buffered()):
            chosen = {id(example) for example in packed.examples}
            self._buffer = [entry for entry in self._buffer if id(entry[0]) not in chosen]
            self.seen.update(example.task for example in packed.examples)
            yield packed

    def position(self) -> GroupPosition:
        """Returns where it is, behind the batch that was yielded last."""
        read = {name: reader.place for name, reader in self._readers.items() if reader.place is not None}
        waiting = tuple((example.task, at) for example, at in self._buffer)
        return GroupPosition({**self._begin.places, **read}, waiting + tuple(self._unread), dict(self.seen))

    def _buffered(self) -> Iterator[Prepared]:
        for example, at in self.examples():
            self._buffer.append((example, at))
            yield example

    def examples(self) -> Iterator[tuple[Prepared, Place | None]]:
        """Yields examples and their places for ever; what can not be read, learnt from or packed is set aside."""
        drawn = turns(self._rates, self._draw)
        for index in itertools.count():
            waited = bool(self._unread)
            task = self._unread.popleft()[0] if waited else next(drawn)
            reader, name = self._reader(task), f"an example of {task}"
            at = None if waited else reader.place
            try:
                row, at = reader.again() if waited else next(reader)
                name = f"{task} {row['meta/id']}".strip()
                seed = pipeline.fold(self._draw, index)
                example = usable(row, self._packer, seed=seed, training=self._split == "train")
            except EmptySource:
                raise
            except StopIteration:
                continue
            except (ValueError, OSError) as error:
                self._quarantine.add(name, error, task, at)
            else:
                yield example, at

    def _reader(self, name: str) -> Records:
        if name not in self._readers:
            self._readers[name] = Records(
                self._tasks[name],
                self._split,
                seed=self._seed,
                draw=self._chunk_seed,
                group=self._group,
                groups=self._groups,
                place=self._begin.places.get(name),
                waiting=[at for task, at in self._begin.waiting if task == name],
            )
        return self._readers[name]
