"""Format 1: says what a picture, a video or a sound shows."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.medium import read, seen, told
from unified_io.errors import DataError
from unified_io.evaluation.cider import CIDER
from unified_io.evaluation.metric import Metric

_SOMEBODY = "<person>"  # how sets of pictures from the web hide names


@dataclasses.dataclass(frozen=True)
class Caption(Format):
    """Describes media: the target is one of the captions, drawn at random, or all of them in a row.

    Attributes:
      media: What is described, names of `medium.MEDIA`.
      every: Whether to write all captions, as of the stages of a story; they are told in order.
    """

    media: tuple[str, ...] = ("image",)
    every: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(self.media), "captions"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(self.media)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (CIDER,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        captions = captions_of(raw)
        if self.every:
            captions = [" ".join(captions)]
        texts = {"text_inputs": self.ask(raw, rng), "text_targets": captions[rng.integers(len(captions))]}
        return judged(raw, captions) | seen(raw, self.media, rng) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return tidy(answer)


def captions_of(raw: Raw) -> list[str]:
    """Returns the captions of an example, tidy; empty ones are left out.

    Raises:
      DataError: None is left.
    """
    captions = [text for caption in raw["captions"] if (text := tidy(caption))]
    if not captions:
        raise DataError("field captions holds no words; leave the example out")
    return captions


def tidy(caption: str) -> str:
    r"""Returns a caption in lower case, one blank between words, no backslashes, and "person" for a hidden name.

    "<PERSON> at a\nhome\\ match " -> "person at a home match"

    Source: the released preprocessing of captions.
    """
    return " ".join(caption.replace("\\", " ").lower().replace(_SOMEBODY, " person ").split())
