"""Other questions that masks answer: any of several classes, none of them, a class within a box."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.formats.base import Fields, Raw, judged, look, window
from data_tasks.formats.boxes import plain
from data_tasks.formats.dense import covered, cut_masks, draw_seen
from data_tasks.formats.painted import Painted
from unified_io.errors import DataError, unknown
from unified_io.evaluation.dense import IOU
from unified_io.evaluation.metric import Metric
from unified_io.preprocess import maps
from unified_io.structures import boxes_to_text

_QUESTIONS = {"any": (2, 4), "inside": (1, 1), "none": (1, 4)}  # how many classes are named
_LEAST_SIDE = 0.2  # of a box that is asked about


@dataclasses.dataclass(frozen=True)
class SeveralClasses(Painted):
    """Paints a mask of classes that are combined.

        any     slot {names}: all pixels of any of 2 to 4 classes, some of which may be absent
        inside  slots {name} and {box}: the pixels of a class inside of a box
        none    slot {names}: all pixels of none of 1 to 4 classes

    At least one class that is named is to be seen. Absent ones are drawn from the closed set `classes`, where it is
    mapped.

    Attributes:
      question: "any", "inside" or "none".
    """

    question: str = "any"

    def __post_init__(self):
        if self.question not in _QUESTIONS:
            raise unknown("question about classes", self.question, _QUESTIONS)

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "masks", "names"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (IOU,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        masks, real = cut_masks(raw, through), through.real
        first = raw["names"][draw_seen(masks, rng)]
        names = self._names(first, [*dict.fromkeys([*(raw.get("classes") or []), *raw["names"]])], rng)
        mask = covered(masks, raw["names"], names)
        slots = {"names": ", ".join(map(plain, names))}
        if self.question == "none":
            mask = real & ~mask
        if self.question == "inside":
            box = draw_box_at(mask, rng)
            mask = mask & inside(box, through.side)
            slots = {"name": plain(first), "box": boxes_to_text(box[None])}
        return (
            judged(raw, slots)
            | look(raw["image"], through)
            | {
                "text_inputs": self.ask(raw, rng, **slots),
                "image_targets": maps.mask_to_pixels(mask),
                "image_target_masks": real,
            }
        )

    def read(
        self, pixels: Float[np.ndarray, "h w 3"], counts: Bool[np.ndarray, "h w"], example: Mapping[str, Any]
    ) -> Bool[np.ndarray, "h w"]:
        return maps.pixels_to_mask(pixels) & counts

    def _names(self, first: str, classes: list[str], rng: np.random.Generator) -> list[str]:
        """Draws which classes to name, in random order, one of them given."""
        least, most = _QUESTIONS[self.question]
        others = [name for name in classes if name != first]
        if len(others) < least - 1:
            raise DataError(
                f"{1 + len(others)} classes are known, {least} are asked for; map the field classes"
            )
        count = int(rng.integers(least, min(most, len(others) + 1) + 1))
        names = [first, *(others[i] for i in rng.permutation(len(others))[: count - 1])]
        return [names[i] for i in rng.permutation(count)]


def draw_pixel(mask: Bool[np.ndarray, "s s"], rng: np.random.Generator) -> tuple[int, int]:
    """Draws a pixel (y, x) of a mask that is not empty."""
    found = np.argwhere(mask)
    y, x = found[rng.integers(len(found))].tolist()
    return y, x


def draw_box_at(mask: Bool[np.ndarray, "s s"], rng: np.random.Generator) -> Float[np.ndarray, "4"]:
    """Draws a box (y1, x1, y2, x2) in [0, 1] around a pixel of a mask, at least a fifth of the square high and wide."""
    middle = (np.array(draw_pixel(mask, rng)) + 0.5) / len(mask)
    sides = rng.uniform(_LEAST_SIDE, 0.6, 2)
    corner = np.clip(middle - sides * rng.uniform(0.1, 0.9, 2), 0.0, 1.0)
    return np.concatenate([corner, np.clip(corner + sides, 0.0, 1.0)]).astype(np.float32)


def inside(box: Float[np.ndarray, "4"], side: int) -> Bool[np.ndarray, "s s"]:
    """Returns the pixels of a square whose middle lies in a box (y1, x1, y2, x2) in [0, 1]."""
    middles = (np.arange(side) + 0.5) / side
    rows, columns = (
        (middles >= first) & (middles <= last) for first, last in ((box[0], box[2]), (box[1], box[3]))
    )
    return rows[:, None] & columns[None, :]
