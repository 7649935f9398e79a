"""Which example lies in which row, and where in it. Pure NumPy: lengths in, a plan out."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from unified_io.data.budgets import Budgets, Lengths
from unified_io.errors import DataError
from unified_io.modalities.base import Features, Modality, TargetModality

# A row is completed from so many examples at a time. All pairs of them are tried, so more cost the square.
_CANDIDATES = 24
# So often a row is completed anew, from examples further back in the queue, before the fullest is taken: it is what
# lets rows gain from a longer queue.
_TRIES = 8
# A row is full enough when about a fiftieth of either side is free, or less.
_FULL = 2 * 0.02**2


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where one example lies: its row, the stretch of it on either side, and its items in the banks of its group."""

    group: int
    row: int
    segment: int
    encoder: slice
    decoder: slice
    inputs: Mapping[str, slice]
    targets: Mapping[str, slice]


@dataclasses.dataclass(frozen=True)
class Plan:
    """The row of every example.

    Attributes:
      budgets: The shape planned for.
      groups: Groups of rows; each has its own banks.
      lengths: What every example costs.
      rows: Row of every example, counted through all groups; -1 where it found no place.
    """

    budgets: Budgets
    groups: int
    lengths: tuple[Lengths, ...]
    rows: Int[np.ndarray, " N"]

    @property
    def placed(self) -> Bool[np.ndarray, " N"]:
        """Which examples found a row."""
        return self.rows >= 0

    def fill(self) -> dict[str, float]:
        """Returns how much of every kind of room is taken: of all rows, and of every bank, from 0 to 1."""
        used = self.budgets.costs(self.lengths)[self.placed].sum(axis=0)
        have = self.budgets.group_room * self.groups
        return dict(zip(self.budgets.kinds, (used / have).tolist(), strict=True))


def measure(
    features: Mapping[str, Mapping[str, Features]],
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
) -> Lengths:
    """Measures an example after `preprocess`: real tokens in the rows, items in the banks."""
    slots_in = {m.name: m.slots(features["inputs"][m.name]) for m in inputs}
    slots_out = {m.name: m.slots(features["targets"][m.name]) for m in targets}
    return Lengths(
        encoder=sum(int(slots.sum()) for slots in slots_in.values()),
        decoder=sum(int(slots.sum()) for slots in slots_out.values()),
        inputs={name: len(slots) for name, slots in slots_in.items()},
        targets={name: len(slots) for name, slots in slots_out.items()},
    )


def plan(lengths: Sequence[Lengths], budgets: Budgets, groups: int = 1) -> Plan:
    """Plans any number of examples into rows; each starts with the one that waited longest and is filled up tightly.

    What completes a row is the example, or the pair of examples, that leaves the least room, counted as the sum of
    the squared free parts of both sides; then again, until nothing fits. A row that is not full by then is completed
    anew from examples further back in the queue, a few times, and the fullest is kept. Because every row starts with
    the oldest example nobody waits for ever, and because pairs are tried a long input finds the long output that goes
    with it.

    Args:
      lengths: Costs of the examples, those that have waited longest first.
      budgets: The shape of a batch.
      groups: Groups of rows; examples are spread over them in turn.

    Raises:
      DataError: An example fits no batch at all.
    """
    costs, own = budgets.costs(lengths), len(budgets.row_kinds)
    for index in np.flatnonzero((costs > budgets.room).any(axis=1)):
        reason = budgets.why_never(lengths[index])
        raise DataError(f"example {index} can never be packed: {reason}; raise the budget or shorten it")
    rows = np.full(len(costs), -1)
    banks = np.tile(budgets.room[own:], (groups, 1))
    for row in range(budgets.rows):
        for group in range(groups):
            room = np.concatenate([budgets.room[:own], banks[group]])
            chosen = _fill_row(costs, np.flatnonzero(rows < 0), room)
            rows[chosen] = group * budgets.rows + row
            banks[group] -= costs[chosen, own:].sum(axis=0)
    return Plan(budgets, groups, tuple(lengths), rows)


def _fill_row(costs: np.ndarray, waiting: np.ndarray, room: np.ndarray) -> list[int]:
    """Chooses the examples of one row. The first two kinds of room are its two sides."""
    scale = room[:2].astype(float)
    waiting = waiting[(costs[waiting] <= room).all(axis=1)]
    if not len(waiting):
        return []
    best, least = [], np.inf
    for start in range(0, min(_TRIES * _CANDIDATES, len(waiting)), _CANDIDATES):
        chosen = _complete(costs, waiting, room, scale, start)
        free = (((room - costs[chosen].sum(axis=0))[:2] / scale) ** 2).sum()
        if free < least:
            best, least = chosen, free
        if least <= _FULL:
            break
    return best


def _complete(
    costs: np.ndarray, waiting: np.ndarray, room: np.ndarray, scale: np.ndarray, start: int
) -> list[int]:
    """Starts a row with the oldest example and completes it from those at `start` of the queue, which is a ring."""
    chosen: list[int] = []
    found = np.zeros(1, int)
    while True:
        taken = waiting[found]
        chosen += taken.tolist()
        room = room - costs[taken].sum(axis=0)
        fits = (costs[waiting] <= room).all(axis=1)
        fits[found] = False
        waiting = waiting[fits]
        if not len(waiting):
            return chosen
        near = np.arange(start, start + min(_CANDIDATES, len(waiting))) % len(waiting)
        found = near[_best_completion(costs[waiting[near]], room, scale)]


def _best_completion(need: np.ndarray, room: np.ndarray, scale: np.ndarray) -> list[int]:
    """Says which one or two of the candidates leave the least room in the row; each of them fits on its own."""
    alone = (((room[:2] - need[:, :2]) / scale) ** 2).sum(axis=1)
    single = int(alone.argmin())
    fits = ~np.eye(len(need), dtype=bool)
    for kind in np.flatnonzero(2 * need.max(axis=0) > room):
        fits &= need[:, None, kind] + need[None, :, kind] <= room[kind]
    if not fits.any():
        return [single]
    free = [(room[side] - need[:, None, side] - need[None, :, side]) / scale[side] for side in (0, 1)]
    together = np.where(fits, free[0] ** 2 + free[1] ** 2, np.inf)
    first, second = divmod(int(together.argmin()), len(need))
    return [single] if alone[single] <= together[first, second] else [first, second]


def one_per_row(lengths: Sequence[Lengths], budgets: Budgets, groups: int = 1) -> Plan:
    """Plans every example into a row of its own, in order: the unpacked batch of evaluation and generation.

    Raises:
      DataError: There are more examples than rows, or an example or all of them are over a budget.
    """
    if len(lengths) > groups * budgets.rows:
        raise DataError(f"{len(lengths)} examples but {groups * budgets.rows} rows; give fewer at a time")
    costs, own = budgets.costs(lengths), len(budgets.row_kinds)
    for group in range(groups):
        mine = costs[group * budgets.rows : (group + 1) * budgets.rows]
        need = np.concatenate([mine[:, :own].max(axis=0, initial=0), mine[:, own:].sum(axis=0)])
        for kind, n, room in zip(budgets.kinds, need, budgets.room, strict=True):
            if n > room:
                raise DataError(
                    f"unpacked examples need {n} {kind}, a batch has room for {room}; raise the budget"
                )
    return Plan(budgets, groups, tuple(lengths), np.arange(len(lengths)))


def unplan(plan: Plan) -> list[Placement | None]:
    """Says where every example lies, None where it found no row: the inverse of planning.

    The examples of a row lie one after the other in the order of the list, and so do their items in the banks.
    """
    placements: list[Placement | None] = [None] * len(plan.lengths)
    segments, encoder, decoder, items = Counter(), Counter(), Counter(), Counter()

    def take(counter: Counter, key: Any, count: int) -> slice:
        counter[key] += count
        return slice(counter[key] - count, counter[key])

    order = np.argsort(plan.rows, kind="stable")
    for index in order[plan.rows[order] >= 0].tolist():
        at, cost = int(plan.rows[index]), plan.lengths[index]
        group, row = divmod(at, plan.budgets.rows)
        segments[at] += 1
        placements[index] = Placement(
            group,
            row,
            segments[at],
            take(encoder, at, cost.encoder),
            take(decoder, at, cost.decoder),
            {name: take(items, (group, "input", name), count) for name, count in cost.inputs.items()},
            {name: take(items, (group, "target", name), count) for name, count in cost.targets.items()},
        )
    return placements
