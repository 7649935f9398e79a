"""Features of ours under the names, and in the excerpts, in which fixtures hold those of the official preprocessor."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from parity.fixture import Compared, Fixture
from unified_io.modalities.base import Features, Modality
from unified_io.modalities.history import History
from unified_io.modalities.media import CodeTarget
from unified_io.modalities.text import TextInput, TextTarget

Arrays = dict[str, np.ndarray]
STRIDES = (slice(2, None, 5), slice(1, None, 5))


def side(modality: Modality) -> str:
    """The folder of a modality in a fixture: inputs or targets."""
    return "targets" if isinstance(modality, TextTarget | CodeTarget) else "inputs"


def arrays(modality: Modality, features: Features) -> Arrays:
    """Features of one example as the official arrays; without items, those of an absent medium, which are zeros."""
    if isinstance(modality, TextInput):
        real = np.ones(len(features["tokens"]), bool)
        return {"tokens": features["tokens"], "pos_ids": features["positions"], "mask": real}
    if isinstance(modality, TextTarget):
        return {
            "targets": features["tokens"],
            "inputs": features["inputs"],
            "pos_ids": features["positions"],
            "segment_ids": features["streams"] + 1,  # ours count from 0, and keep 0 for padding later
            "mask": np.ones(len(features["tokens"]), bool),
        }
    items = len(features["mask"])
    wanted = modality.max_items
    padded = {
        key: np.concatenate([features[key], blank[items:]]) for key, blank in modality.empty(wanted).items()
    }
    if isinstance(modality, CodeTarget):
        weights = modality.weights(padded)
        named = {modality.name: "pixels", "mask": "mask", "task_mask": "hidden"}
        return {name: padded[key][0] for name, key in named.items()} | {"loss_mask": weights[0]}
    named = {"input": "patches", "mask": "mask", "pos_ids": "positions"}
    whole = isinstance(modality, History)
    return {name: padded[key] if whole else padded[key][0] for name, key in named.items()}


def meant(modality: Modality, name: str, features: Features) -> np.ndarray | None:
    """Where an official array means something, None for everywhere: it numbers patches of frames that are not there."""
    if isinstance(modality, History) and name == "pos_ids":
        return np.arange(modality.max_items) < len(features["mask"])
    return None


def compare(
    fixture: Fixture,
    case: str,
    example: dict[str, Any],
    modalities: Sequence[Modality],
    tolerance: float | None = None,
) -> Iterator[Compared]:
    """Preprocesses an example and compares whatever the fixture holds of the modalities.

    Args:
      fixture: The fixture.
      case: First part of the names of the arrays.
      example: Raw fields.
      modalities: Of the modalities that the fixture holds for this case these are compared.
      tolerance: Absolute error of floats; None is the fixture's.
    """
    for modality in modalities:
        prefix = f"{case}/{side(modality)}/{modality.name}/"
        if any(name.startswith(prefix) for name in fixture.outputs):
            features = modality.preprocess(example, seed=0, training=False)
            for name, ours in arrays(modality, features).items():
                where = meant(modality, name, features)
                yield from excerpts(fixture, prefix + name, ours, tolerance, where)


def excerpts(
    fixture: Fixture,
    name: str,
    ours: np.ndarray,
    tolerance: float | None = None,
    where: np.ndarray | None = None,
) -> Iterator[Compared]:
    """Compares an array, or what a fixture holds of it: rows, a coarse grid, means, its shape."""
    for stored in [
        stored for stored in fixture.outputs if re.fullmatch(rf"{re.escape(name)}(_[a-z_]+)?", stored)
    ]:
        kind = stored.removeprefix(name).removeprefix("_")
        if kind == "rows_idx":
            value = np.arange(ours.shape[-2])[fixture.outputs[stored]]
        elif kind == "rows":
            value = ours[..., fixture.outputs[f"{name}_rows_idx"], :]
        elif kind == "example_abs_sum_is_zero":
            value = np.abs(ours).reshape(len(ours), -1).sum(axis=1) == 0
        else:
            value = {
                "": lambda: ours,
                "shape": lambda: np.array(ours.shape),
                "mean": lambda: ours.mean(axis=-1),
                "std": lambda: ours.std(axis=-1),
                "stride": lambda: ours[STRIDES],
                "row_mean": lambda: ours.mean(axis=1),
                "col_mean": lambda: ours.mean(axis=0),
            }[kind]()
        exact = not np.issubdtype(fixture.outputs[stored].dtype, np.floating)
        yield Compared(stored, value, where=where, tolerance=0.0 if exact else tolerance)


def stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks arrays of different lengths, the shorter ones padded with zeros."""
    longest = max(len(part) for part in parts)
    return np.stack([np.pad(part, [(0, longest - len(part))] + [(0, 0)] * (part.ndim - 1)) for part in parts])
