"""Pictures made of a picture: the mask of a named thing, and a hole filled in."""

import dataclasses

import numpy as np

from data_tasks.formats.base import ABOUT, Fields, Format, Raw, about
from data_tasks.formats.restore import hide


@dataclasses.dataclass(frozen=True)
class Segment(Format):
    """Paints the thing that the slot {name} of the prompt names: white where it is, black elsewhere."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "masks", "names", "label"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", "image_inputs", "image_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        chosen = int(rng.integers(len(raw["masks"])))
        # The label asked for comes first.
        labels = np.roll(raw["label"], -chosen)
        prompt = self.prompt("image", rng, name=raw["names"][chosen])
        pictures = {"image_inputs": raw["image"], "image_targets": raw["masks"][chosen]}
        return about(raw) | pictures | {"text_inputs": prompt, "meta/labels": labels}


@dataclasses.dataclass(frozen=True)
class Inpaint(Format):
    """Fills a hole in a picture; the slot {name} of the prompt says of what. The target is the whole picture."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "keep", "image_target", "name", "label"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", "image_inputs", "image_input_masks", "image_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        prompt = self.prompt("image", rng, name=raw["name"])
        pictures = {"image_inputs": hide(raw["image"], raw["keep"]), "image_targets": raw["image_target"]}
        return about(raw) | pictures | {"image_input_masks": raw["keep"], "text_inputs": prompt}
