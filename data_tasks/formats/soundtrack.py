"""Format 22: the sound of a video."""

import dataclasses

import numpy as np

from data_tasks.formats.base import Fields, Raw, judged
from data_tasks.formats.draw import draw_caption
from data_tasks.formats.medium import MEDIA, seen
from data_tasks.formats.speak import Sounding


@dataclasses.dataclass(frozen=True)
class AudioFromVideo(Sounding):
    """Makes the sound of the last frame's segment from the frames, the words that go with them and the sound before it.

    The words are one of the captions and stand in the slot {text}.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "captions", "audio"

    @property
    def shows(self) -> tuple[str, ...]:
        return MEDIA["video"].writes

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        text = draw_caption(raw, rng)
        return (
            judged(raw, text)
            | seen(raw, ("video",), rng)
            | self.sounds(raw)
            | {"text_inputs": self.ask(raw, rng, text=text)}
        )
