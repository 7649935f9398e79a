"""Boxes of an example in the picture that is shown: what is left of them, what they are called, which to ask for."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from data_tasks.formats.base import Raw
from unified_io.errors import DataError
from unified_io.preprocess.window import Window
from unified_io.structures import values_to_bins


def labels_of(raw: Raw, field: str, places: Int[np.ndarray, " n"]) -> list[str]:
    """Returns what some of the boxes are called, by `names` or `phrases`.

    Raises:
      DataError: There is not one label a box.
    """
    labels = raw[field]
    if len(labels) != len(raw["boxes"]):
        raise DataError(f"{len(labels)} {field} for {len(raw['boxes'])} boxes; map one each")
    return [plain(labels[place]) for place in places]


def plain(label: str) -> str:
    """Returns a label with one blank between its words."""
    return " ".join(label.split())


def within(
    boxes: Float[np.ndarray, "n 4"], through: Window, crowd: Sequence[bool] | None = None
) -> tuple[Float[np.ndarray, "m 4"], Int[np.ndarray, " m"]]:
    """Takes boxes to a window: what is left of them, and which they are; no crowds, none thinner than a bin.

    Raises:
      DataError: None is left.
    """
    moved, left = through.boxes(boxes)
    bins = values_to_bins(moved)
    left &= (bins[:, 2:] > bins[:, :2]).all(axis=1)
    if crowd is not None:
        left &= ~np.asarray(crowd, bool)
    if not left.any():
        raise DataError(f"none of {len(boxes)} boxes is to be seen: cropped away, too thin, or crowds")
    return moved[left], np.flatnonzero(left)


def draw_label(labels: Sequence[str], alone: bool, rng: np.random.Generator) -> str:
    """Draws one of the labels that boxes have.

    Args:
      labels: One a box.
      alone: Whether to draw of those only that no two boxes have.
      rng: Draws.

    Raises:
      DataError: There is none.
    """
    there = sorted({label for label in labels if not alone or labels.count(label) == 1})
    if not there:
        raise DataError("no phrase describes one box alone; ask for a class, or map one box a record")
    return there[rng.integers(len(there))]
