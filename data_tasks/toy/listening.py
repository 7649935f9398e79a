"""Formats judged by an ear for the toy world: does one hear what was asked for, and is it told?"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Raw
from data_tasks.formats.caption import Caption
from data_tasks.formats.soundtrack import AudioFromVideo
from data_tasks.formats.speak import Sounding, TextToAudio
from data_tasks.toy import hear, voicing
from data_tasks.toy.heard import events_of, mel_of
from unified_io.evaluation.metric import Mean, Metric
from unified_io.evaluation.sounds import LOG_MEL

_MOST = 2  # events that follow one another; more are the notes of a melody


def facts_heard(made: np.ndarray, truth: Mapping[str, Any]) -> float:
    """Returns the part of what is true of events that one hears in a sound."""
    true = events_of(truth["events"])
    listen = hear.notes if len(true) > _MOST else hear.events
    return hear.agreement(listen(made, mel_of(truth)), true)


def facts_told(caption: str, truth: Sequence[str]) -> float:
    """Returns the part of the facts of events that a caption tells: size, colour, shape and verb of each, in order."""
    told, true = voicing.read(caption), voicing.read(truth[0])
    right = sum(
        mine == yours for a, b in zip(told, true, strict=False) for mine, yours in zip(a, b, strict=True)
    )
    return right / (4 * max(len(told), len(true), 1))


FACTS = Mean("facts_told", each=facts_told)
HEARD = Mean("facts_heard", each=facts_heard)
_SPECTRUM = dataclasses.replace(LOG_MEL, each=lambda made, truth: LOG_MEL.each(made, truth["true"]))


class Judged(Sounding):
    """Adds the ear to a format that makes a sound; reads the raw field `world` of `heard.World`."""

    @property
    def reads(self) -> tuple[str, ...]:
        return *super().reads, "world"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return HEARD, _SPECTRUM

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        return super().__call__(raw, rng) | {"meta/truth": json.dumps(raw["world"])}

    def parse(self, answer: Any, example: Mapping[str, Any]) -> np.ndarray:
        # The plain format's way, whose truth is the spectrogram.
        return TextToAudio(self.prompts).parse(answer, example)

    def truth(self, example: Mapping[str, Any]) -> dict[str, Any]:
        return json.loads(example["meta/truth"]) | {"true": np.asarray(example["audio_targets"], np.float32)}


@dataclasses.dataclass(frozen=True)
class Describe(Caption):
    """Says what is heard; read back to facts."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return FACTS, *super().metrics


@dataclasses.dataclass(frozen=True)
class Play(Judged, TextToAudio):
    """Makes what a caption describes heard."""


@dataclasses.dataclass(frozen=True)
class Soundtrack(Judged, AudioFromVideo):
    """Makes the sound of a clip."""
