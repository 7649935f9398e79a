"""One thing in one modality, asked for in another: tag, transcribe, describe, draw, speak, write."""

import dataclasses

import numpy as np

from data_tasks.formats.base import ABOUT, Fields, Format, Raw, about

# Modality: the raw field it is read from, and the one it is written from.
_GIVEN = {"text": "caption", "image": "image", "audio": "audio", "action": "points"}
_WANTED = {"text": "name", "image": "image_target", "audio": "audio", "action": "points"}


@dataclasses.dataclass(frozen=True)
class Convert(Format):
    """From one modality to another. Given text stands in the slot {text} of the prompt.

    Attributes:
      given: The input: "text", "image", "audio" or "action".
      wanted: The output, another one.
    """

    given: str
    wanted: str

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((_GIVEN[self.given], _WANTED[self.wanted], "label")))

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("text_inputs", f"{self.given}_inputs", f"{self.wanted}_targets"))) + ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        given, wanted = raw[_GIVEN[self.given]], raw[_WANTED[self.wanted]]
        content = {"text": given} if self.given == "text" else {}
        fields = {} if self.given == "text" else {f"{self.given}_inputs": given}
        prompt = self.prompt(self.wanted, rng, **content)
        return about(raw) | fields | {"text_inputs": prompt, f"{self.wanted}_targets": wanted}
