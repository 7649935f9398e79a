"""Format 21: the sound, music or speech that a caption asks for. And what formats share whose answer is a sound."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.formats.base import JUDGED, Fields, Format, Raw, judged
from data_tasks.formats.draw import draw_caption
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.sounds import LOG_MEL


@dataclasses.dataclass(frozen=True)
class Sounding(Format):
    """A format whose answer is a sound, as a natural-log mel. Exact silence of the truth is not judged."""

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", *self.shows, "audio_history_inputs", "audio_targets", *JUDGED

    @property
    def shows(self) -> tuple[str, ...]:
        """The fields that it fills with what is given beside the prompt and the earlier sound."""
        return ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (LOG_MEL,)

    def parse(self, answer: Any, example: Mapping[str, Any]) -> Float[np.ndarray, "frames mels"]:
        true = self.truth(example)
        return np.where(true != 0.0, _fitted(answer, true.shape), 0.0)

    def truth(self, example: Mapping[str, Any]) -> Float[np.ndarray, "frames mels"]:
        return np.asarray(example["audio_targets"], np.float32)

    def sounds(self, raw: Raw) -> Fields:
        """The segment to make, and the earlier ones where the source has them."""
        return {"audio_targets": raw["audio"], "audio_history_inputs": raw.get("audio_history") or None}


@dataclasses.dataclass(frozen=True)
class TextToAudio(Sounding):
    """Makes a sound from one of its captions, which stands in the slot {caption}. Earlier segments are history."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "captions", "audio"

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        caption = draw_caption(raw, rng)
        return judged(raw, caption) | self.sounds(raw) | {"text_inputs": self.ask(raw, rng, caption=caption)}


def _fitted(answer: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "frames mels"]:
    """An answer cut or filled up to the frames and mels of the truth; zeros where it is no sound."""
    fitted = np.zeros(shape, np.float32)
    try:
        mel = np.nan_to_num(np.asarray(answer, np.float32))
    except (TypeError, ValueError):
        return fitted
    if mel.ndim == 2:
        rows, columns = (min(have, want) for have, want in zip(mel.shape, shape, strict=True))
        fitted[:rows, :columns] = mel[:rows, :columns]
    return fitted
