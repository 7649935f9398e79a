"""Format 4: names the class of a picture, a video or a sound, one of a closed set."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.choose import CHOICE, check_options, nearest
from data_tasks.formats.medium import read, seen, told
from unified_io.evaluation.metric import Metric


@dataclasses.dataclass(frozen=True)
class Tag(Format):
    """Names the class of media. What kind of class is asked for is in the wording of the prompts.

    Attributes:
      media: What is named, names of `medium.MEDIA`.
    """

    media: tuple[str, ...] = ("image",)

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(self.media), "name", "classes"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(self.media)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (CHOICE,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        check_options("classes", raw["classes"], raw["name"])
        texts = {"text_inputs": self.ask(raw, rng), "text_targets": raw["name"]}
        return judged(raw, raw["name"], raw["classes"]) | seen(raw, self.media, rng) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return nearest(answer, self.options(example))
