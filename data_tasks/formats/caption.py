"""Format 1: says what a picture, a video or a sound shows."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import JUDGED, Fields, Format, Raw, judged
from data_tasks.formats.medium import MEDIA, seen
from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean, Metric


@dataclasses.dataclass(frozen=True)
class Caption(Format):
    """Describes media: the target is one of the captions, drawn at random.

    Attributes:
      media: What is described: "image", "video", "audio", or two of them.
    """

    media: tuple[str, ...] = ("image",)

    @property
    def reads(self) -> tuple[str, ...]:
        return *(field for medium in self.media for field in MEDIA[medium].reads), "captions"

    @property
    def writes(self) -> tuple[str, ...]:
        return (
            "text_inputs",
            *(f for medium in self.media for f in MEDIA[medium].writes),
            "text_targets",
            *JUDGED,
        )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Mean("exact"),)  # the helper who owns formats replaces this

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        captions = [text for caption in raw["captions"] if (text := " ".join(caption.lower().split()))]
        if not captions:
            raise DataError("it has no caption that is not empty")
        texts = {"text_inputs": self.ask(raw, rng), "text_targets": captions[rng.integers(len(captions))]}
        return judged(raw, captions) | seen(raw, self.media, rng) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return " ".join(answer.lower().split())
