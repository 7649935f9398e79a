"""Format 16: draws what a caption says."""

import dataclasses
from typing import Any

import numpy as np

from data_tasks.formats.base import PREFIXES, Fields, Raw, judged
from data_tasks.formats.caption import captions_of
from data_tasks.formats.painted import Painted, target
from unified_io.api.prompts import UNINFORMATIVE
from unified_io.preprocess.window import Window


@dataclasses.dataclass(frozen=True)
class Draw(Painted):
    """Draws a picture from one of its captions, which stands in the slot {caption}. The whole picture is the target.

    Attributes:
      blank: How often, in training, the prompt is the one that tells nothing, which guidance leads away from.

    Metrics compare with the one true picture, which no caption determines; a task may add a judge of its own.

    Source: the released tasks (10 %); `unified_io.api` guides with the same words.
    """

    blank: float = 0.1

    @property
    def reads(self) -> tuple[str, ...]:
        return "captions", "image_target"

    @property
    def shows(self) -> tuple[str, ...]:
        return ()

    @property
    def decoding(self) -> dict[str, Any]:
        # The likeliest code of every place makes an empty room: a thing may stand anywhere, so it is likely nowhere.
        return {"temperature": 1.0}

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        caption = draw_caption(raw, rng)
        prompt = self.ask(raw, rng, caption=caption)
        if raw.get("training", True) and rng.random() < self.blank:
            prompt, caption = f"{PREFIXES['image']} [S] {UNINFORMATIVE}", ""
        picture = raw["image_target"]
        return (
            judged(raw, caption) | target(picture, Window.around(picture.shape[:2])) | {"text_inputs": prompt}
        )


def draw_caption(raw: Raw, rng: np.random.Generator) -> str:
    """Draws one of the captions of an example, tidy."""
    captions = captions_of(raw)
    return captions[rng.integers(len(captions))]
