"""Which example lies in which row: a plan of any number of examples a row, batch-wide budgets for every bank.

Pure NumPy. Knows no modality by name, no TensorFlow and no model: lengths in, a plan out. `batch.py` lays it out.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Int

from unified_io.errors import ConfigError, DataError
from unified_io.modalities.base import Features, Modality, TargetModality

# Completions of a row are sought among this many of the examples that have waited longest: more gains
# a fraction of a percent of fill and costs the square.
_CANDIDATES = 64


@dataclasses.dataclass(frozen=True)
class Budgets:
    """The static shape of a packed batch, for one group.

    Attributes:
      rows: Rows of a group.
      encoder_length: Places of an encoder row (S).
      decoder_length: Places of a decoder row (T).
      inputs: Items in the bank of every input modality, in the order of the banks.
      targets: Items in the bank of every target modality, likewise.
    """

    rows: int
    encoder_length: int
    decoder_length: int
    inputs: Mapping[str, int]
    targets: Mapping[str, int]

    def __post_init__(self):
        sizes = {"rows": self.rows, "encoder_length": self.encoder_length, "decoder_length": self.decoder_length}
        sizes |= {f"inputs[{k!r}]": v for k, v in self.inputs.items()}
        sizes |= {f"targets[{k!r}]": v for k, v in self.targets.items()}
        for name, size in sizes.items():
            if size < 1:
                raise ConfigError(f"budget {name} is {size}; a static batch needs at least 1")

    @property
    def room(self) -> Int[np.ndarray, " K"]:
        """What an example is charged against: encoder row, decoder row, then every bank."""
        return np.array([self.encoder_length, self.decoder_length, *self.inputs.values(), *self.targets.values()])


@dataclasses.dataclass(frozen=True)
class Lengths:
    """What an example costs.

    Attributes:
      encoder: Real tokens in the encoder row.
      decoder: Real tokens in the decoder row.
      inputs: Items in the bank of every input modality.
      targets: Items in the bank of every target modality.
    """

    encoder: int
    decoder: int
    inputs: Mapping[str, int]
    targets: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where one example lies: its row, the stretch of it, and its items in every bank of its group."""

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
        """Returns the part of all encoder places, decoder places and bank items that is real, each in [0, 1]."""
        budgets = self.budgets
        used = [_costs(self.lengths, budgets)[self.placed].sum(axis=0)]
        have = budgets.room * self.groups
        have[:2] *= budgets.rows
        names = ["encoder", "decoder", *(f"inputs/{n}" for n in budgets.inputs), *(f"targets/{n}" for n in budgets.targets)]
        return dict(zip(names, (used[0] / have).tolist(), strict=True))


def measure(
    features: Mapping[str, Mapping[str, Features]],
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
) -> Lengths:
    """Measures an example after `preprocess`: real tokens in the rows, items in the banks."""
    slots_in = {m.name: m.slots(features["inputs"][m.name]) for m in inputs}
    slots_out = {m.name: m.slots(features["targets"][m.name]) for m in targets}
    return Lengths(
        encoder=sum(int(s.sum()) for s in slots_in.values()),
        decoder=sum(int(s.sum()) for s in slots_out.values()),
        inputs={name: len(s) for name, s in slots_in.items()},
        targets={name: len(s) for name, s in slots_out.items()},
    )


def why_never(lengths: Lengths, budgets: Budgets) -> str | None:
    """Says why an example fits no batch of this shape, or None if it fits."""
    room = {"encoder tokens": budgets.encoder_length, "decoder tokens": budgets.decoder_length}
    need = {"encoder tokens": lengths.encoder, "decoder tokens": lengths.decoder}
    for side, budget, items in (("input", budgets.inputs, lengths.inputs), ("target", budgets.targets, lengths.targets)):
        room |= {f"{name} {side} items": size for name, size in budget.items()}
        need |= {f"{name} {side} items": items[name] for name in budget}
    over = [f"{need[kind]} {kind} where a batch has {size}" for kind, size in room.items() if need[kind] > size]
    return "; ".join(over) or None


def _costs(lengths: Sequence[Lengths], budgets: Budgets) -> Int[np.ndarray, "N K"]:
    rows = [
        (x.encoder, x.decoder, *(x.inputs[n] for n in budgets.inputs), *(x.targets[n] for n in budgets.targets))
        for x in lengths
    ]
    return np.array(rows, np.int64).reshape(len(rows), len(budgets.room))


def plan(lengths: Sequence[Lengths], budgets: Budgets, groups: int = 1) -> Plan:
    """Plans examples into rows: every row starts with the one that waited longest and is completed as tightly as possible.

    A row is completed by the example or the pair of examples that leaves the least room, measured as the sum of
    squares of the free parts of both sides, until nothing fits. Starting every row with the oldest example means that
    nobody waits for ever; pairs find the combinations in which both sides fill up.

    Args:
      lengths: Costs of the examples, those that have waited longest first.
      budgets: The shape of a batch.
      groups: Groups of rows; examples are spread over them in turn.

    Raises:
      DataError: An example fits no batch at all.
    """
    for index, example in enumerate(lengths):
        if reason := why_never(example, budgets):
            raise DataError(f"example {index} can never be packed: {reason}; raise the budget or shorten the example")
    costs = _costs(lengths, budgets)
    rows = np.full(len(costs), -1)
    banks = np.tile(budgets.room[2:], (groups, 1))
    for row in range(budgets.rows):
        for group in range(groups):
            room = np.concatenate([budgets.room[:2], banks[group]])
            chosen = _fill_row(costs, np.flatnonzero(rows < 0), room)
            rows[chosen] = group * budgets.rows + row
            banks[group] -= costs[chosen, 2:].sum(axis=0)
    return Plan(budgets, groups, tuple(lengths), rows)


def _fill_row(costs: Int[np.ndarray, "N K"], waiting: Int[np.ndarray, " W"], room: Int[np.ndarray, " K"]) -> list[int]:
    """Chooses the examples of one row; the first two kinds of room are the row's own, the others are shared."""
    scale = room[:2].astype(float)
    chosen: list[int] = []
    while True:
        waiting = waiting[(costs[waiting] <= room).all(axis=1)]
        if not len(waiting):
            return chosen
        best = [int(waiting[0])] if not chosen else _best_completion(costs, waiting[:_CANDIDATES], room, scale)
        chosen += best
        room = room - costs[best].sum(axis=0)
        waiting = waiting[~np.isin(waiting, best)]


def _best_completion(costs: np.ndarray, candidates: np.ndarray, room: np.ndarray, scale: np.ndarray) -> list[int]:
    """Returns the one or two candidates that leave the least room in the row. Each of them fits on its own."""
    need = costs[candidates]
    alone = (((room[:2] - need[:, :2]) / scale) ** 2).sum(axis=1)
    single = int(alone.argmin())
    fits = ~np.eye(len(candidates), dtype=bool)
    for kind in np.flatnonzero(2 * need.max(axis=0) > room):
        fits &= need[:, None, kind] + need[None, :, kind] <= room[kind]
    if not fits.any():
        return [int(candidates[single])]
    free = [(room[side] - need[:, None, side] - need[None, :, side]) / scale[side] for side in (0, 1)]
    together = np.where(fits, free[0] ** 2 + free[1] ** 2, np.inf)
    first, second = divmod(int(together.argmin()), len(candidates))
    if alone[single] <= together[first, second]:
        return [int(candidates[single])]
    return [int(candidates[first]), int(candidates[second])]


def one_per_row(lengths: Sequence[Lengths], budgets: Budgets, groups: int = 1) -> Plan:
    """Plans every example into a row of its own, in order: the unpacked batch of evaluation and generation.

    Raises:
      DataError: There are more examples than rows, or an example fits no row, or the banks do not hold them all.
    """
    if len(lengths) > groups * budgets.rows:
        raise DataError(f"{len(lengths)} examples but {groups * budgets.rows} rows; give fewer at a time")
    result = Plan(budgets, groups, tuple(lengths), np.arange(len(lengths)))
    costs = _costs(lengths, budgets)
    for group in range(groups):
        mine = costs[group * budgets.rows : (group + 1) * budgets.rows]
        need = np.concatenate([mine[:, :2].max(axis=0, initial=0), mine[:, 2:].sum(axis=0)])
        if (need > budgets.room).any():
            raise DataError(f"unpacked examples need {need.tolist()} (encoder, decoder, banks), budgets are {budgets}")
    return result


def unplan(plan: Plan) -> list[Placement | None]:
    """Says where every example lies: the inverse of `plan`, None where it found no row.

    Examples of a row lie in the order of the list, one after the other; so do their items in the banks of the group.
    """
    placements: list[Placement | None] = [None] * len(plan.lengths)
    rows, offsets = plan.budgets.rows, {}
    order = np.argsort(plan.rows, kind="stable")
    previous, segment, starts = -1, 0, (0, 0)
    for index in order[len(plan.lengths) - int(plan.placed.sum()) :].tolist():
        group, row = divmod(int(plan.rows[index]), rows)
        if plan.rows[index] != previous:
            previous, segment, starts = int(plan.rows[index]), 0, (0, 0)
        lengths, segment = plan.lengths[index], segment + 1
        ends = (starts[0] + lengths.encoder, starts[1] + lengths.decoder)
        items: dict[str, dict[str, slice]] = {"inputs": {}, "targets": {}}
        for side, counts in (("inputs", lengths.inputs), ("targets", lengths.targets)):
            for name, count in counts.items():
                start = offsets.get((group, side, name), 0)
                items[side][name] = slice(start, start + count)
                offsets[group, side, name] = start + count
        placements[index] = Placement(
            group, row, segment, slice(starts[0], ends[0]), slice(starts[1], ends[1]), items["inputs"], items["targets"]
        )
        starts = ends
    return placements


def propose_budgets(
    sample: Sequence[Lengths], rows: int, encoder_length: int, decoder_length: int, margin: float = 2.0
) -> Budgets:
    """Proposes bank budgets from measured lengths: what full rows hold on average, and `margin` standard deviations.

    Args:
      sample: Lengths of a few thousand examples of the mixture.
      rows: Rows of a group.
      encoder_length: Places of an encoder row.
      decoder_length: Places of a decoder row.
      margin: Standard deviations of head-room, so that a bank seldom limits the rows.
    """
    if not sample:
        raise DataError("no lengths to propose budgets from; measure a few thousand examples first")
    mean_encoder = np.mean([x.encoder for x in sample])
    mean_decoder = np.mean([x.decoder for x in sample])
    # Rows fill up until one of the two sides is full.
    examples = rows * min(encoder_length / max(mean_encoder, 1e-9), decoder_length / max(mean_decoder, 1e-9))

    def items(counts: Iterable[int]) -> int:
        counts = np.array(list(counts))
        mean = examples * counts.mean() + margin * np.sqrt(examples) * counts.std()
        return max(int(np.ceil(mean)), int(counts.max()), 1)

    return Budgets(
        rows,
        encoder_length,
        decoder_length,
        {name: items(x.inputs[name] for x in sample) for name in sample[0].inputs},
        {name: items(x.targets[name] for x in sample) for name in sample[0].targets},
    )
