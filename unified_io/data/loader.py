"""Packed batches of a bound mixture, for ever: seeded by step, resumed in place, bad examples named and left out."""

import dataclasses
import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import seqio

from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.packer import Packed, Packer, Prepared, prepare
from unified_io.data.prefetch import Prefetch
from unified_io.errors import DataError
from unified_io.modalities.base import Modality, TargetModality

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Quarantined:
    """An example that was left out, and why."""

    name: str
    reason: str


class Loader:
    """Turns a bound mixture into packed batches.

    The stream is cut in chunks of `chunk_steps` batches. A chunk is read anew with a seed of its own, so the batches
    of a step depend on the seed and the step alone: to resume, the chunk of that step is read from its start. Save
    checkpoints at multiples of `chunk_steps` and nothing is read twice. Examples that wait in the buffer at the end
    of a chunk are dropped.

    Attributes:
      quarantine: Examples that were left out so far.
    """

    def __init__(
        self,
        bound: pipeline.Bound,
        inputs: Sequence[Modality],
        targets: Sequence[TargetModality],
        budgets: Budgets,
        *,
        seed: int = 0,
        split: str = "train",
        groups: int = 1,
        chunk_steps: int = 500,
        lookahead: float = 2.0,
        depth: int = 2,
        max_bad: int = 100,
        shard: seqio.ShardInfo | None = None,
    ):
        """Sets up a loader; nothing is read before `batches`.

        Args:
          bound: From `pipeline.bind`.
          inputs: Input modalities of the configuration it is bound to.
          targets: Target modalities.
          budgets: The shape of a batch.
          seed: Seeds everything.
          split: A split of the sources.
          groups: Groups of rows, one a data shard.
          chunk_steps: Batches between two seeds.
          lookahead: Batches' worth of examples to choose from.
          depth: Batches prepared ahead.
          max_bad: Bad or overlong examples to leave out before giving up; 0 gives up at the first.
          shard: Read only this part of the data.
        """
        self.quarantine: list[Quarantined] = []
        self._bound, self._split, self._shard = bound, split, shard
        self._packer = Packer(inputs, targets, budgets, groups, lookahead)
        self._seed, self._chunk_steps, self._depth, self._max_bad = seed, chunk_steps, depth, max_bad
        self._seen: Counter[str] = Counter()
        self._fill: Counter[str] = Counter()
        self._batches = self._dropped = 0

    def batches(self, start_step: int = 0) -> Iterator[dict[str, Any]]:
        """Yields the batch of step `start_step` and all that follow; close the iterator to end its thread.

        Raises:
          DataError: More than `max_bad` examples were bad; the message names the last one.
        """
        with Prefetch(self._packed(start_step), self._depth) as stream:
            for packed in stream:
                self._seen.update(example.task for example in packed.examples)
                self._fill.update(packed.fill)
                self._batches += 1
                yield packed.batch

    def report(self) -> dict[str, float]:
        """Returns what was handed out so far, as metrics.

        `fill/<kind>` is the mean part of a kind of room that was real. `seen/<task>` counts examples; `share/<task>`
        is its part of all examples and `planned/<task>` the part its rate asks for. `dropped` examples were waiting
        when a chunk ended.
        """
        metrics: dict[str, float] = {"quarantined": len(self.quarantine), "dropped": self._dropped}
        for kind in self._fill:
            metrics[f"fill/{kind}"] = self._fill[kind] / self._batches
        total = max(self._seen.total(), 1)
        for task, rate in self._rates().items():
            metrics[f"seen/{task}"] = self._seen[task]
            metrics[f"share/{task}"] = self._seen[task] / total
            metrics[f"planned/{task}"] = rate
        return metrics

    def _rates(self) -> dict[str, float]:
        if isinstance(self._bound, seqio.Task):
            return {self._bound.name: 1.0}
        rates = {task.name: self._bound.get_rate(task) for task in self._bound.tasks}
        return {name: rate / sum(rates.values()) for name, rate in rates.items()}

    def _packed(self, start_step: int) -> Iterator[Packed]:
        chunk, skip = divmod(start_step, self._chunk_steps)
        while True:
            stream = self._packer.batches(self._prepared(chunk))
            packed = None
            for index, packed in zip(range(self._chunk_steps), stream, strict=False):
                if index >= skip:
                    yield packed
            if packed is None:
                raise DataError(
                    f"split {self._split!r} of {self._bound.name!r} holds no example that can be used"
                )
            self._dropped += packed.waiting
            chunk, skip = chunk + 1, 0

    def _prepared(self, chunk: int) -> Iterator[Prepared]:
        """Reads a chunk's examples; those that can not be read, learnt from or packed are set aside."""
        seed = pipeline.fold(self._seed, chunk, self._shard.index if self._shard else 0)
        rows = pipeline.examples(
            self._bound, self._split, seed=seed, shuffle=True, repeat=True, shard=self._shard
        )
        for index in itertools.count():
            name = f"example {index} of chunk {chunk}"
            try:
                row = next(rows)
                name = f"{row['meta/task']} {row['meta/id']}"
                example = self._prepare(row, pipeline.fold(seed, index))
            except StopIteration:
                return
            except (ValueError, OSError) as error:
                self._set_aside(name, error)
            else:
                yield example

    def _prepare(self, row: dict[str, Any], seed: int) -> Prepared:
        packer = self._packer
        example = prepare(row, packer.inputs, packer.targets, seed=seed, training=self._split == "train")
        if not example.lengths.decoder:
            raise DataError("it has no target token")
        if reason := packer.budgets.why_never(example.lengths):
            raise DataError(reason)
        return example

    def _set_aside(self, name: str, error: Exception) -> None:
        self.quarantine.append(Quarantined(name, str(error)))
        log.warning("left out %s: %s", name, error)
        if len(self.quarantine) > self._max_bad:
            raise DataError(
                f"{len(self.quarantine)} examples could not be used, max_bad is {self._max_bad}; "
                f"the last was {name}: {error}"
            ) from error
