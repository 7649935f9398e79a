"""Questions about what is seen and heard, answered in words."""

import dataclasses
from collections.abc import Callable

import numpy as np

from data_tasks.formats.base import ABOUT, Fields, Format, Raw, about
from unified_io.structures import boxes_to_text


@dataclasses.dataclass(frozen=True)
class Answer(Format):
    """Asks a question whose answer is computed from the raw example.

    Attributes:
      media: The modalities the question is about: "image", "audio".
      answer: Computes the answer; it may read `label` and `names`.
    """

    media: tuple[str, ...]
    answer: Callable[[Raw], str]

    @property
    def reads(self) -> tuple[str, ...]:
        return *self.media, "label", "names"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", *(f"{medium}_inputs" for medium in self.media), "text_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        media = {f"{medium}_inputs": raw[medium] for medium in self.media}
        texts = {"text_inputs": self.prompt("text", rng), "text_targets": self.answer(raw)}
        return about(raw) | media | texts


@dataclasses.dataclass(frozen=True)
class Detect(Format):
    """Finds everything in an image: `y1 x1 y2 x2 name` for every box, in the order of the source."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "boxes", "names", "label"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", "image_inputs", "text_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        found = boxes_to_text(raw["boxes"], raw["names"])
        texts = {"text_inputs": self.prompt("text", rng), "text_targets": found}
        return about(raw) | {"image_inputs": raw["image"]} | texts


@dataclasses.dataclass(frozen=True)
class NameRegion(Format):
    """Names what is in one box of an image; the box stands in the slot {box} of the prompt."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "boxes", "names", "label"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", "image_inputs", "text_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        chosen = int(rng.integers(len(raw["boxes"])))
        prompt = self.prompt("text", rng, box=boxes_to_text(raw["boxes"][[chosen]]))
        # The label asked for comes first.
        labels = np.roll(raw["label"], -chosen)
        texts = {"text_inputs": prompt, "text_targets": raw["names"][chosen]}
        return about(raw) | {"image_inputs": raw["image"], "meta/labels": labels} | texts
