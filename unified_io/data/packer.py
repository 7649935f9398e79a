"""A stream of examples into a stream of packed batches: preprocess, buffer, plan. No TensorFlow, no model."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from unified_io.data.batch import ExampleFeatures, assemble
from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.packing import measure, plan
from unified_io.errors import ConfigError, DataError
from unified_io.modalities.base import Modality, TargetModality


@dataclasses.dataclass(frozen=True)
class Prepared:
    """An example ready to be packed.

    Attributes:
      name: What to call it in an error: its task and its id.
      task: The task it belongs to.
      features: {"inputs": {modality: features}, "targets": {modality: features}}.
      lengths: What it costs.
    """

    name: str
    task: str
    features: ExampleFeatures
    lengths: Lengths


def prepare(
    example: Mapping[str, Any],
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
    *,
    seed: int = 0,
    training: bool = False,
) -> Prepared:
    """Preprocesses an example by every modality of a configuration and measures it.

    Args:
      example: Raw fields, and who it is under `meta/task` and `meta/id`.
      inputs: Input modalities.
      targets: Target modalities.
      seed: Seeds whatever `preprocess` draws.
      training: Whether to augment.
    """
    features = {
        "inputs": {m.name: m.preprocess(example, seed=seed, training=training) for m in inputs},
        "targets": {m.name: m.preprocess(example, seed=seed, training=training) for m in targets},
    }
    task = example.get("meta/task", "example")
    return Prepared(
        f"{task} {example.get('meta/id', '')}".strip(), task, features, measure(features, inputs, targets)
    )


class Packed(NamedTuple):
    """A batch, the examples in it, how full it is, and how many examples wait for the next one."""

    batch: dict[str, Any]
    examples: list[Prepared]
    fill: dict[str, float]
    waiting: int


@dataclasses.dataclass(frozen=True)
class Packer:
    """Turns a stream of examples into a stream of packed batches; every example lies in exactly one.

    Attributes:
      inputs: Input modalities in the order of the configuration.
      targets: Target modalities, likewise.
      budgets: The shape of a batch.
      groups: Groups of rows, one a data shard.
      lookahead: How much of some kind of room the buffer holds before a batch is planned, in batches. More to choose
        from fills rows better and lets examples wait longer.

    Raises:
      ConfigError: The budgets are of other modalities, or less than a batch is looked ahead.
    """

    inputs: Sequence[Modality]
    targets: Sequence[TargetModality]
    budgets: Budgets
    groups: int = 1
    lookahead: float = 2.0

    def __post_init__(self):
        if not self.lookahead >= 1:
            raise ConfigError(f"lookahead is {self.lookahead}; a buffer holds at least 1 batch of examples")
        for side, modalities, budget in (
            ("input", self.inputs, self.budgets.inputs),
            ("target", self.targets, self.budgets.targets),
        ):
            names = [m.name for m in modalities]
            if set(names) != set(budget):
                raise ConfigError(
                    f"{side} budgets are for {sorted(budget)}, the {side} modalities are {names}"
                )

    def batches(self, examples: Iterable[Prepared]) -> Iterator[Packed]:
        """Yields batches until the examples are used up; the last ones may be part empty.

        Raises:
          DataError: An example fits no batch; the message names it.
        """
        full = self.lookahead * self.budgets.group_room * self.groups
        buffer: list[Prepared] = []
        waiting = np.zeros_like(self.budgets.room)
        for example in examples:
            if reason := self.budgets.why_never(example.lengths):
                raise DataError(
                    f"{example.name} can never be packed: {reason}; raise the budget or shorten it"
                )
            buffer.append(example)
            waiting += self.budgets.costs([example.lengths])[0]
            if (waiting >= full).any():
                packed, buffer = self._pack(buffer)
                waiting = self.budgets.costs([example.lengths for example in buffer]).sum(axis=0)
                yield packed
        while buffer:
            packed, buffer = self._pack(buffer)
            yield packed

    def _pack(self, buffer: list[Prepared]) -> tuple[Packed, list[Prepared]]:
        """Plans one batch; returns it and the examples that wait for the next one."""
        planned = plan([example.lengths for example in buffer], self.budgets, self.groups)
        batch = assemble([example.features for example in buffer], planned, self.inputs, self.targets)
        chosen = [example for example, placed in zip(buffer, planned.placed, strict=True) if placed]
        left = [example for example, placed in zip(buffer, planned.placed, strict=True) if not placed]
        return Packed(batch, chosen, planned.fill(), len(left)), left
