"""Format 18: fills a hole over one thing of a picture."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.formats.base import Fields, Raw, judged, look, window
from data_tasks.formats.boxes import plain
from data_tasks.formats.painted import Painted, counted
from data_tasks.formats.restore import hide
from unified_io.errors import DataError
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.pictures import HOLE_PSNR
from unified_io.preprocess.window import Window
from unified_io.structures import boxes_to_text

LEAST = 0.1
"""Part of the picture, and of the square that is shown, that a thing must cover at least."""
_FRAMES = 10  # drawn until one shows a thing that is large enough
_ROUNDING = 1e-3  # pixels; float32 coordinates miss a pixel's border by less


@dataclasses.dataclass(frozen=True)
class FillHole(Painted):
    """Draws what is hidden behind a hole: the box of one thing. The slots {box} and {name} say where and what.

    The hole is blank and masked in the input; of the target it alone counts, and it alone is judged.

    Source: the released task: things that cover more than 10 % of the picture, before and after it is framed.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "boxes", "names"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (HOLE_PSNR,)

    def truth(self, example: Mapping[str, Any]) -> dict[str, np.ndarray]:
        pixels, hole = counted(np.asarray(example["image_targets"], np.float32), example)
        return {"image": pixels, "hole": hole}

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through, holes = _framed(raw, rng)
        chosen = list(holes)[rng.integers(len(holes))]
        shown, hole = look(raw["image"], through), holes[chosen]
        real, box = shown["image_input_masks"], through.boxes(raw["boxes"])[0][[chosen]]
        name = plain(raw["names"][chosen])
        prompt = self.ask(raw, rng, name=name, box=boxes_to_text(box))
        return judged(raw, name) | {
            "text_inputs": prompt,
            "image_inputs": hide(shown["image_inputs"], ~hole),
            "image_input_masks": real & ~hole,
            "image_targets": shown["image_inputs"],
            "image_target_masks": hole,
        }


def _framed(raw: Raw, rng: np.random.Generator) -> tuple[Window, dict[int, Bool[np.ndarray, "s s"]]]:
    """Frames a picture so that a thing is large in it; returns the holes over such things by their numbers.

    Raises:
      DataError: There was none in several frames.
    """
    for _ in range(_FRAMES):
        through = window(raw, rng)
        boxes, _ = through.boxes(raw["boxes"])
        real = through.real
        holes = {i: hole_of(box, through.side) & real for i, box in enumerate(boxes)}
        large = {
            i: hole
            for i, hole in holes.items()
            if _area(raw["boxes"][i]) > LEAST and hole.mean() > LEAST and (real & ~hole).any()
        }
        if large:
            return through, large
    raise DataError(
        f"no box covers more than {LEAST:.0%} of the picture and of what is shown of it, and leaves some of it"
    )


def hole_of(box: Float[np.ndarray, "4"], side: int) -> Bool[np.ndarray, "s s"]:
    """Returns the pixels of a square that a box (y1, x1, y2, x2) in [0, 1] touches."""
    y1, x1 = np.floor(box[:2] * side + _ROUNDING).astype(int)
    y2, x2 = np.ceil(box[2:] * side - _ROUNDING).astype(int)
    hole = np.zeros((side, side), bool)
    hole[y1:y2, x1:x2] = True
    return hole


def _area(box: Float[np.ndarray, "4"]) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))
