"""How full batches become: a stream of lengths planned as the packer would plan it, without a single example."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.packing import plan
from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """What became of a stream.

    Attributes:
      fill: The mean part of every kind of room that is taken, from 0 to 1.
      examples: Examples of a batch, on average.
      ahead: The most examples that a batch was chosen from.
    """

    fill: Mapping[str, float]
    examples: float
    ahead: int


def rehearse(lengths: Sequence[Lengths], budgets: Budgets, lookahead: float = 2.0) -> Rehearsal:
    """Plans batches from a buffer as `Packer` does, for one group.

    Only batches that were planned from a full buffer count, if there is one.

    Args:
      lengths: Costs of the examples, in the order in which they come.
      budgets: The shape of a batch.
      lookahead: Batches' worth of examples in the buffer.

    Raises:
      DataError: There is nothing to plan, or an example fits no batch.
    """
    if not lengths:
        raise DataError("no examples to plan; measure some first")
    full, costs = lookahead * budgets.group_room, budgets.costs(lengths)
    plans, buffer, waiting = [], [], np.zeros_like(budgets.room)
    for index, cost in enumerate(costs):
        buffer.append(index)
        waiting += cost
        if (waiting >= full).any():
            plans.append(plan([lengths[i] for i in buffer], budgets))
            buffer = [i for i, placed in zip(buffer, plans[-1].placed, strict=True) if not placed]
            waiting = costs[buffer].sum(axis=0)
    plans = plans or [plan(lengths, budgets)]
    fills = [one.fill() for one in plans]
    return Rehearsal(
        {kind: float(np.mean([fill[kind] for fill in fills])) for kind in budgets.kinds},
        float(np.mean([one.placed.sum() for one in plans])),
        max(len(one.lengths) for one in plans),
    )
