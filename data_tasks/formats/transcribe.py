"""Format 8: writes down what is said."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.medium import read, seen, told
from unified_io.errors import DataError
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.text import normalise
from unified_io.evaluation.words import WER


@dataclasses.dataclass(frozen=True)
class Transcribe(Format):
    """Writes down speech as the source spells it; case and punctuation do not count when it is judged.

    Attributes:
      media: "audio", or "sounds" where speech goes on over several segments.
    """

    media: tuple[str, ...] = ("audio",)

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(self.media), "text"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(self.media)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (WER,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        text = " ".join(raw["text"].split())
        if not normalise(text):
            raise DataError("field text holds no words; leave the example out")
        texts = {"text_inputs": self.ask(raw, rng), "text_targets": text}
        return judged(raw, normalise(text)) | seen(raw, self.media, rng) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return normalise(answer)
