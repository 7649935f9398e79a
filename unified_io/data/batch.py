"""A packed batch: planned examples laid out as the static arrays the model takes. Pure NumPy, no modality by name."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from unified_io.data.budgets import Budgets
from unified_io.data.packing import Placement, Plan, unplan
from unified_io.modalities.base import Features, Modality, TargetModality

ExampleFeatures = Mapping[str, Mapping[str, Features]]


class _Side:
    """One side of a batch: the banks of its modalities, and the rows in which their tokens are laid out."""

    def __init__(self, modalities: Sequence[Modality], items: Mapping[str, int], shape: tuple[int, int, int]):
        self.modalities = modalities
        self.banks: dict[str, Features] = {}
        self.first: dict[str, int] = {}  # of every bank, in the joined places
        self.places = 0
        for m in modalities:
            specs, count = m.features(), items[m.name]
            self.banks[m.name] = {
                key: np.zeros((shape[0], count, *s.shape), s.dtype) for key, s in specs.items()
            }
            self.first[m.name] = self.places
            self.places += count * m.slot_size
        self.slots = np.full(shape, self.places, np.int32)
        self.segment_ids = np.zeros(shape, np.int32)

    def put(
        self, modality: Modality, where: Placement, items: slice, start: int, features: Features
    ) -> tuple[Int[np.ndarray, " n"], slice]:
        """Stores an example's items in the bank and lays its real tokens out from column `start`.

        Returns:
          The places of the tokens among those of the items, and their columns.
        """
        bank = self.banks[modality.name]
        for key in bank:
            bank[key][where.group, items] = features[key]
        real = np.flatnonzero(modality.slots(features))
        columns = slice(start, start + len(real))
        first = self.first[modality.name] + items.start * modality.slot_size
        self.slots[where.group, where.row, columns] = first + real
        return real, columns


def assemble(
    examples: Sequence[ExampleFeatures],
    plan: Plan,
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
) -> dict[str, Any]:
    """Lays a plan out as the static arrays the model takes.

    Args:
      examples: Features of the planned examples: {"inputs": {modality: features}, "targets": {modality: features}}.
      plan: Which row each lies in; an example without a row is left out.
      inputs: Input modalities in the order of the configuration, which is the order of their banks.
      targets: Target modalities, likewise.

    Returns:
      `inputs` and `targets`: the banks, {modality: {feature: [G, items, ...]}}.
      `encoder` and `decoder`: for every row position the place of its token in the joined banks (`slots`; the number
      of all places is padding) and its `segment_ids` (0 is padding). On the decoder side segments differ by example,
      modality and stream, and `example_ids` are the encoder's segments.
      `heads`: for every target place the row position it went to (`positions`; R * T is none) and its loss weight.
    """
    budgets, groups = plan.budgets, plan.groups
    encoder = _Side(inputs, budgets.inputs, (groups, budgets.rows, budgets.encoder_length))
    decoder = _Side(targets, budgets.targets, (groups, budgets.rows, budgets.decoder_length))
    example_ids = np.zeros_like(decoder.segment_ids)
    heads = {m.name: _blank_head(groups, budgets, m) for m in targets}
    segments = Counter()
    for example, where in zip(examples, unplan(plan), strict=True):
        if where is None:
            continue
        row = (where.group, where.row)
        encoder.segment_ids[row][where.encoder] = where.segment
        example_ids[row][where.decoder] = where.segment
        start, order = where.encoder.start, [np.zeros(0, np.int32)]
        for m in _present(inputs, where.inputs):
            features = example["inputs"][m.name]
            real, columns = encoder.put(m, where, where.inputs[m.name], start, features)
            order.append(m.order(features)[real // m.slot_size])
            start = columns.stop
        slots = encoder.slots[row][where.encoder]
        slots[:] = slots[np.argsort(np.concatenate(order), kind="stable")]
        start = where.decoder.start
        for m in _present(targets, where.targets):
            items, features = where.targets[m.name], example["targets"][m.name]
            real, columns = decoder.put(m, where, items, start, features)
            names, streams = np.unique(m.streams(features)[real // m.slot_size], return_inverse=True)
            decoder.segment_ids[row][columns] = segments[row] + 1 + streams
            segments[row] += len(names)
            places = items.start * m.slot_size + real
            at = where.row * budgets.decoder_length + np.arange(columns.start, columns.stop)
            heads[m.name]["positions"][where.group, places] = at
            heads[m.name]["weights"][where.group, places] = m.weights(features).reshape(-1)[real]
            start = columns.stop
    return {
        "inputs": encoder.banks,
        "targets": decoder.banks,
        "encoder": {"slots": encoder.slots, "segment_ids": encoder.segment_ids},
        "decoder": {"slots": decoder.slots, "segment_ids": decoder.segment_ids, "example_ids": example_ids},
        "heads": heads,
    }


def _present(modalities: Sequence[Modality], items: Mapping[str, slice]) -> Iterator[Any]:
    return (m for m in modalities if items[m.name].stop > items[m.name].start)


def _blank_head(groups: int, budgets: Budgets, target: TargetModality) -> dict[str, np.ndarray]:
    places = budgets.targets[target.name] * target.slot_size
    return {
        "positions": np.full((groups, places), budgets.rows * budgets.decoder_length, np.int32),
        "weights": np.zeros((groups, places), np.float32),
    }
