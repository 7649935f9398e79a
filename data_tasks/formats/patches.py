"""Format 27: coloured shapes pasted on any picture, to be listed or counted."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.boxes import found_boxes
from data_tasks.formats.counting import COUNT, OFF, number_in
from data_tasks.formats.medium import read, told
from unified_io.errors import DataError, unknown
from unified_io.evaluation.boxes import AP, GRIT
from unified_io.evaluation.metric import Metric
from unified_io.structures import boxes_to_text, text_to_boxes, to_middle

COLOURS = {
    "red": (0.9, 0.1, 0.1),
    "green": (0.1, 0.7, 0.2),
    "blue": (0.1, 0.2, 0.9),
    "yellow": (1.0, 0.9, 0.1),
    "pink": (1.0, 0.5, 0.8),
    "black": (0.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
}
# Each says where a shape is, in a square from -1 to 1 that it fills.
SHAPES = {
    "square": lambda y, x: np.ones(np.broadcast(y, x).shape, bool),
    "circle": lambda y, x: y**2 + x**2 <= 1.0,
    "triangle": lambda y, x: np.abs(x) <= (y + 1.0) / 2.0,
    "diamond": lambda y, x: np.abs(y) + np.abs(x) <= 1.0,
    "cross": lambda y, x: (np.abs(y) <= 1 / 3) | (np.abs(x) <= 1 / 3),
    "ring": lambda y, x: (y**2 + x**2 <= 1.0) & (y**2 + x**2 >= 0.3),
}
MOST = 6
_SIDES = 0.08, 0.3  # of the square that is shown
_LEAST = 5  # pixels, so that a shape can be told
_TRIES = 8
_METRICS = {"list": (AP, GRIT), "count": (COUNT, OFF)}


class Patch(NamedTuple):
    """A shape that was pasted: its name, its box (y1, x1, y2, x2) in pixels, and its pixels within that."""

    name: str
    box: tuple[int, int, int, int]
    shape: Bool[np.ndarray, "h w"]


@dataclasses.dataclass(frozen=True)
class PastedPatches(Format):
    """Pastes one to six coloured shapes on a picture, none over another, and asks what is where, or how many.

    Attributes:
      ask: "list": a box and a name for each, "y1 x1 y2 x2 red circle", in random order; "count": how many.

    Source: Unified-IO 2's synthetic pre-training tasks; shapes and colours are our choice.
    """

    ask: str = "list"

    def __post_init__(self):
        if self.ask not in _METRICS:
            raise unknown("question about patches", self.ask, _METRICS)

    @property
    def reads(self) -> tuple[str, ...]:
        return read(("image",))

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return _METRICS[self.ask]

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        real = through.real
        patches = draw_patches(real, rng)
        pixels = paste(through.cut(raw["image"]), patches, rng)
        boxes = np.array([patch.box for patch in patches], np.float32) / through.side
        names = [patch.name for patch in patches]
        listed = self.ask == "list"
        truth = {"boxes": boxes, "labels": names} if listed else len(patches)
        target = boxes_to_text(boxes, names) if listed else str(len(patches))
        # The field that says what is asked has the name of the method.
        texts = {"text_inputs": super().ask(raw, rng), "text_targets": target}
        return judged(raw, truth) | {"image_inputs": pixels, "image_input_masks": real} | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> Any:
        if self.ask == "count":
            number = number_in(answer)
            return -1 if number is None else number
        found = text_to_boxes(answer)
        return found_boxes(to_middle(found.boxes), found.labels)


def draw_patches(real: Bool[np.ndarray, "s s"], rng: np.random.Generator) -> list[Patch]:
    """Draws shapes that lie where there is picture, none over another.

    Args:
      real: Where in the square there is picture, a rectangle.
      rng: Draws.

    Raises:
      DataError: The picture is too small for one.
    """
    rows, columns = np.flatnonzero(real.any(axis=1)), np.flatnonzero(real.any(axis=0))
    room = min(len(rows), len(columns))
    if room < _LEAST:
        raise DataError(
            f"{len(rows)}x{len(columns)} pixels of field image are shown; a shape needs {_LEAST} a side"
        )
    patches: list[Patch] = []
    taken = ~real
    for _ in range(int(rng.integers(1, MOST + 1))):
        for _ in range(_TRIES):
            side = int(np.clip(round(rng.uniform(*_SIDES) * len(real)), _LEAST, room))
            top = int(rows[0] + rng.integers(len(rows) - side + 1))
            left = int(columns[0] + rng.integers(len(columns) - side + 1))
            place = slice(top, top + side), slice(left, left + side)
            if not taken[place].any():
                taken[place] = True
                patches.append(_shape(top, left, side, rng))
                break
    return patches


def paste(
    pixels: Float[np.ndarray, "s s 3"], patches: list[Patch], rng: np.random.Generator
) -> Float[np.ndarray, "s s 3"]:
    """Returns a picture with shapes pasted on it, each in its colour, a little lighter or darker."""
    pasted = pixels.copy()
    for patch in patches:
        y1, x1, y2, x2 = patch.box
        colour = np.array(COLOURS[patch.name.split()[0]]) * rng.uniform(0.85, 1.0)
        pasted[y1:y2, x1:x2][patch.shape] = colour.astype(pixels.dtype)
    return pasted


def _shape(top: int, left: int, side: int, rng: np.random.Generator) -> Patch:
    """Draws a shape of a colour in a square; its box is that of its pixels."""
    colour = [*COLOURS][rng.integers(len(COLOURS))]
    shape = [*SHAPES][rng.integers(len(SHAPES))]
    across = (np.arange(side) + 0.5) / side * 2.0 - 1.0
    inside = SHAPES[shape](across[:, None], across[None, :])
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    (y1, y2), (x1, x2) = (rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1)
    box = (top + int(y1), left + int(x1), top + int(y2), left + int(x2))
    return Patch(f"{colour} {shape}", box, inside[y1:y2, x1:x2])
