"""Other questions that surface normals answer: other axes, the direction at one point, surfaces of one direction."""

import dataclasses
import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.formats.base import Fields, Format, Raw, judged, look, window
from data_tasks.formats.dense_augmented import draw_pixel
from data_tasks.formats.medium import told
from data_tasks.formats.painted import Painted, check_size
from unified_io.errors import DataError, unknown
from unified_io.evaluation.dense import IOU, NORMALS
from unified_io.evaluation.metric import Mean, Metric
from unified_io.preprocess import maps
from unified_io.preprocess.window import Window
from unified_io.structures import points_to_text, text_to_values, to_middle, values_to_text

AXES = ("x", "y", "z")
DEGREES = (20, 30, 45)
"""How far a surface may be turned from the direction asked for."""


@dataclasses.dataclass(frozen=True)
class NormalsAs(Painted):
    """Paints surface normals in another way.

        order  slot {order}: axes in another order, "z, x, y" as red, green and blue
        axes   slot {axes}: one or two axes, the channels of the others black

    Attributes:
      change: "order" or "axes".
    """

    change: str = "order"

    def __post_init__(self):
        if self.change not in ("order", "axes"):
            raise unknown("change of normals", self.change, ("order", "axes"))

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "normals"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (NORMALS,) if self.change == "order" else (AXES_OFF,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        normals, known = cut_normals(raw, through)
        pixels = maps.normals_to_pixels(normals)
        chosen = self._choices()[rng.integers(len(self._choices()))]
        if self.change == "order":
            pixels = pixels[:, :, chosen]
        else:
            pixels = np.where([axis in chosen for axis in range(3)], pixels, 0.0).astype(np.float32)
        words = ", " if self.change == "order" else " and "
        slots = {self.change: words.join(AXES[axis] for axis in chosen)}
        return (
            judged(raw, list(chosen))
            | look(raw["image"], through)
            | {
                "text_inputs": self.ask(raw, rng, **slots),
                "image_targets": pixels,
                "image_target_masks": known,
            }
        )

    def read(
        self, pixels: Float[np.ndarray, "h w 3"], counts: Bool[np.ndarray, "h w"], example: Mapping[str, Any]
    ) -> Float[np.ndarray, "h w c"]:
        chosen = json.loads(example["meta/truth"])
        if self.change == "order":
            pixels = maps.pixels_to_normals(pixels[:, :, np.argsort(chosen)])
        else:
            pixels = 2.0 * pixels[:, :, chosen] - 1.0
        return np.where(counts[:, :, None], pixels, 0.0)

    def _choices(self) -> list[tuple[int, ...]]:
        if self.change == "order":
            return list(itertools.permutations(range(3)))[1:]
        return [axes for count in (1, 2) for axes in itertools.combinations(range(3), count)]


@dataclasses.dataclass(frozen=True)
class NormalAt(Format):
    """Says which way the surface at a point faces: three location tokens, (n + 1) / 2 of x, y and z. Slot {point}."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "normals"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return ANGLE, CLOSE

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        normals, known = cut_normals(raw, through)
        y, x = draw_pixel(known, rng)
        point = points_to_text((np.array([[y, x]]) + 0.5) / through.side)
        texts = {"text_inputs": self.ask(raw, rng, point=point), "text_targets": spell(normals[y, x])}
        return judged(raw, normals[y, x]) | look(raw["image"], through) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> Float[np.ndarray, "3"] | None:
        found = text_to_values(answer, 3).values
        return 2.0 * to_middle(found[0]) - 1.0 if len(found) else None


@dataclasses.dataclass(frozen=True)
class Facing(Painted):
    """Paints a mask of the surfaces that face a direction, the slot {direction}, up to {degrees} off.

    The direction is the normal at a point that is seen.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "normals"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (IOU,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        normals, known = cut_normals(raw, through)
        direction = spell(normals[draw_pixel(known, rng)])
        degrees = DEGREES[rng.integers(len(DEGREES))]
        # As it is written, so that the prompt determines the answer.
        vector = 2.0 * to_middle(text_to_values(direction, 3).values[0]) - 1.0
        near = normals @ (vector / np.linalg.norm(vector)) >= np.cos(np.radians(degrees))
        slots = {"direction": direction, "degrees": str(degrees)}
        return (
            judged(raw, slots)
            | look(raw["image"], through)
            | {
                "text_inputs": self.ask(raw, rng, **slots),
                "image_targets": maps.mask_to_pixels(near & known),
                "image_target_masks": known,
            }
        )

    def read(
        self, pixels: Float[np.ndarray, "h w 3"], counts: Bool[np.ndarray, "h w"], example: Mapping[str, Any]
    ) -> Bool[np.ndarray, "h w"]:
        return maps.pixels_to_mask(pixels) & counts


def spell(normal: Float[np.ndarray, "3"]) -> str:
    """Writes a unit vector as three location tokens, (n + 1) / 2."""
    return values_to_text(np.clip((np.asarray(normal)[None] + 1.0) / 2.0, 0.0, 1.0), 3)


def cut_normals(raw: Raw, through: Window) -> tuple[Float[np.ndarray, "s s 3"], Bool[np.ndarray, "s s"]]:
    """Returns the normals that a window shows, and where they are known.

    Raises:
      DataError: They are not of the picture's size, or known nowhere in the window.
    """
    check_size("normals", raw["normals"].shape, raw["image"].shape)
    normals = through.cut(raw["normals"])
    known = normals.any(axis=2)
    if not known.any():
        raise DataError("the part of the picture that is shown has no normals")
    return normals, known


def _angle(predicted: Float[np.ndarray, "3"] | None, truth: Any) -> float:
    if predicted is None or not np.any(predicted):
        return 180.0
    true, length = np.asarray(truth, np.float64), np.linalg.norm(predicted)
    cosine = predicted @ true / (length * np.linalg.norm(true))
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


ANGLE = Mean("angle", 0.0, 180.0, each=_angle)
"""Degrees between the direction that was written and the true one."""
CLOSE = Mean("within 11.25 degrees", each=lambda predicted, truth: float(_angle(predicted, truth) < 11.25))
AXES_OFF = Mean("axes_l1", 0.0, 2.0, each=lambda made, true: float(np.abs(made - true).mean()))
"""Mean distance of the parts along the axes asked for, unknown pixels counted as equal."""
