"""The first examples of a split as packed batches, each once: what an evaluation reads, the same every time."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.lane import Lane
from unified_io.data.mixture import rates_of, tasks_of
from unified_io.data.packer import Packer
from unified_io.data.position import GroupPosition
from unified_io.data.quarantine import Quarantine
from unified_io.errors import ConfigError
from unified_io.modalities.base import Modality, TargetModality


def sweep(
    bound: pipeline.Bound,
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
    budgets: Budgets,
    examples: int,
    *,
    split: str = "validation",
    seed: int = 0,
    groups: int = 1,
    mine: Sequence[int] | None = None,
    max_bad: int = 100,
) -> Iterator[dict[str, Any]]:
    """Yields batches that together hold the first usable examples of a split; the last one may be part empty.

    Which examples they are depends on the seed alone, not on the shape of a batch nor on the number of groups: tasks
    come in turns by their rates, and one with few examples begins again at its end. Only an example that fits no
    batch of this shape is left out like a bad one, with its name in the log, and another takes its place. Every host
    reads all of them and keeps its own groups, so all hosts make equally many batches.

    Args:
      bound: From `pipeline.bind`.
      inputs: Input modalities of the configuration it is bound to.
      targets: Target modalities.
      budgets: The shape of a batch, for one group.
      examples: How many.
      split: A split of the sources.
      seed: Seeds the order and whatever the tasks draw.
      groups: Groups of rows, one a data shard, on all hosts together.
      mine: Which of them this host makes; None for all.
      max_bad: Bad or overlong examples to leave out before giving up.

    Raises:
      ConfigError: Impossible numbers, no such split, or a rate below 0.
      EmptySource: A source has no example; names it.
      DataError: More than `max_bad` examples were bad; the message names the last one.
    """
    kept = list(range(groups) if mine is None else mine)
    if examples < 1 or not kept or not set(kept) <= set(range(groups)):
        raise ConfigError(
            f"{examples} examples in groups {kept} of {groups}; give at least 1 example, and groups counted from 0"
        )
    packer = Packer(inputs, targets, budgets, groups)
    lane = Lane(
        tasks_of(bound, split),
        rates_of(bound, split),
        packer,
        split,
        seed=seed,
        chunk=0,
        group=0,
        groups=1,
        begin=GroupPosition(),
        quarantine=Quarantine(max_bad),
    )
    prepared = (example for example, _ in itertools.islice(lane.examples(), examples))
    for packed in packer.batches(prepared):
        yield jax.tree.map(lambda leaf: np.asarray(leaf)[kept], packed.batch)
