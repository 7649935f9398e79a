"""Pen actions in and out: points (y, x, pen) written with location tokens, in streams of their own.

An action shares the text table; only its raw field and its modality vector are its own.
"""

import dataclasses
from typing import Any

import numpy as np

from unified_io.modalities.text import TextInput, TextTarget, Written
from unified_io.structures import ids_to_strokes, strokes_to_ids


@dataclasses.dataclass(frozen=True)
class Drawn(Written):
    """A pen trajectory float32 [n, 3]: three location tokens a point."""

    @property
    def name(self) -> str:
        return "action"

    def tokenize(self, field: Any) -> list[int]:
        return list(strokes_to_ids(np.asarray(field), self.vocabulary)) if len(field) else []


@dataclasses.dataclass(frozen=True)
class ActionInput(Drawn, TextInput):
    """A pen trajectory to read."""


@dataclasses.dataclass(frozen=True)
class ActionTarget(Drawn, TextTarget):
    """A pen trajectory to draw, then EOS."""

    def detokenize(self, rendered: np.ndarray) -> np.ndarray:
        """Returns the points float32 [n, 3]; broken groups are left out."""
        return ids_to_strokes(rendered, self.vocabulary)
