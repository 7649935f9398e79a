"""Batches of the official codes, which give every modality padded places, as packed batches of ours, and back."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import Plan, measure, one_per_row, unplan
from unified_io.model import UnifiedIOConfig

Arrays = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Rows:
    """A batch of ours, one example a row, and what leads back to the padded places of theirs.

    Attributes:
      config: The model.
      batch: What the model takes.
      plan: Where every example lies.
      masks: By side ("inputs", "targets") and modality: which padded places are real, bool [B, length].
      features: Features of every example.
    """

    config: UnifiedIOConfig
    batch: dict[str, Any]
    plan: Plan
    masks: dict[str, dict[str, np.ndarray]]
    features: list[dict[str, Any]]

    def mask(self, side: str) -> np.ndarray:
        """Real places of all modalities of a side, one behind the other, as theirs are."""
        return np.concatenate(list(self.masks[side].values()), axis=1)

    def spread(self, rows: np.ndarray, side: str) -> np.ndarray:
        """Puts our rows [B, L, ...] on the padded places of theirs; places that are not real stay 0."""
        mask = self.mask(side)
        padded = np.zeros((*mask.shape, *np.shape(rows)[2:]), np.asarray(rows).dtype)
        for row, real in enumerate(mask):
            padded[row, real] = rows[row][: real.sum()]
        return padded

    def spread_pairs(self, pairs: np.ndarray, queries: str, keys: str) -> np.ndarray:
        """The same for a mask [B, 1, Q, K] between the places of two sides."""
        query, key = self.mask(queries), self.mask(keys)
        padded = np.zeros((len(query), 1, query.shape[1], key.shape[1]), np.asarray(pairs).dtype)
        for row in range(len(query)):
            inner = np.asarray(pairs)[row, 0, : query[row].sum(), : key[row].sum()]
            padded[row, 0][np.ix_(query[row], key[row])] = inner
        return padded

    def unbank(self, bank: np.ndarray, side: str, name: str) -> np.ndarray:
        """Puts a bank [1, N, ...] of one modality on the padded places of theirs, [B, length, ...]."""
        mask = self.masks[side][name]
        modality = next(m for m in getattr(self.config, side) if m.name == name)
        padded = np.zeros((*mask.shape, *np.shape(bank)[2:]), np.asarray(bank).dtype)
        for row, where in enumerate(unplan(self.plan)):
            items = getattr(where, side)[name]
            places = np.asarray(bank)[0, items.start * modality.slot_size : items.stop * modality.slot_size]
            if modality.slot_size == 1:  # of tokens only the real ones are banked
                padded[row, mask[row]] = places
            else:
                frames = np.split(places, max(items.stop - items.start, 1))
                kept = mask.shape[1] // max(len(frames), 1) if len(places) else 0
                if len(places):
                    padded[row] = np.concatenate([frame[:kept] for frame in frames])
        return padded


def lay_out(config: UnifiedIOConfig, inputs: Arrays, targets: Arrays | None = None) -> Rows:
    """Lays a padded batch out as one of ours.

    Args:
      config: The model; modalities that the batch lacks stay empty.
      inputs: Arrays by "modality/feature", as `inputs/…` of the fixtures.
      targets: Likewise.
    """
    targets = targets or {}
    size = len(next(iter(inputs.values())))
    features = [
        {
            "inputs": {m.name: _input(m, inputs, row) for m in config.inputs},
            "targets": {m.name: _target(m, targets, row) for m in config.targets},
        }
        for row in range(size)
    ]
    lengths = [measure(example, config.inputs, config.targets) for example in features]
    budgets = Budgets(
        size,
        max(max(x.encoder for x in lengths), 1),
        max(max(x.decoder for x in lengths), 1),
        {m.name: max(sum(x.inputs[m.name] for x in lengths), 1) for m in config.inputs},
        {m.name: max(sum(x.targets[m.name] for x in lengths), 1) for m in config.targets},
    )
    plan = one_per_row(lengths, budgets)
    masks = {
        "inputs": {m.name: _mask(m, inputs) for m in config.inputs if f"{m.name}/mask" in inputs},
        "targets": {m.name: _mask(m, targets) for m in config.targets if f"{m.name}/mask" in targets},
    }
    return Rows(config, assemble(features, plan, config.inputs, config.targets), plan, masks, features)


def chosen(arrays: Arrays, prefix: str, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Returns the arrays under a prefix, of some modalities only, without the prefix."""
    found = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    return {key: value for key, value in found.items() if names is None or key.split("/")[0] in names}


def _mask(modality: Any, arrays: Arrays) -> np.ndarray:
    mask = arrays[f"{modality.name}/mask"] > 0
    if mask.ndim == 3:  # frames of a history: all latents of a frame that has a real patch
        return np.repeat(mask.any(axis=2), modality.slot_size, axis=1)
    return mask


def _input(modality: Any, arrays: Arrays, row: int) -> dict[str, np.ndarray]:
    if f"{modality.name}/mask" not in arrays:
        return modality.empty()
    of = {key: arrays[f"{modality.name}/{key}"][row] for key in ("mask", "pos_ids")}
    if f"{modality.name}/tokens" in arrays:
        real = of["mask"] > 0
        tokens = arrays[f"{modality.name}/tokens"][row]
        return {"tokens": tokens[real], "positions": of["pos_ids"][real]}
    patches = arrays[f"{modality.name}/input"][row]
    frames = patches.shape[0] if patches.ndim == 3 else 1
    features = modality.empty(frames)
    for key, value in (("patches", patches), ("mask", of["mask"] > 0), ("positions", of["pos_ids"])):
        value = value.reshape(frames, -1, *features[key].shape[2:])
        features[key][:, : value.shape[1]] = value
    if "frames" in features:
        features["frames"] = np.arange(frames, dtype=np.int32)
    return features


def _target(modality: Any, arrays: Arrays, row: int) -> dict[str, np.ndarray]:
    if f"{modality.name}/mask" not in arrays:
        return modality.empty()
    of = {
        key.split("/")[1]: value[row] for key, value in arrays.items() if key.split("/")[0] == modality.name
    }
    real = of["mask"] > 0
    if "targets" in of:
        return {
            "tokens": of["targets"][real],
            "inputs": of["inputs"][real],
            "positions": of["pos_ids"][real],
            "streams": of["segment_ids"][real],
        }
    return {
        "pixels": of[modality.name][None],
        "mask": real[None],
        "hidden": of["task_mask"][None] > 0,
        "weights": of["loss_mask"][None].astype(np.float32),
    }
