"""Questions about digits that are seen and heard, beyond naming them; their words are those of `facts`."""

import dataclasses

import numpy as np
import seqio

from data_tasks.connected_digits.facts import PARITY, THRICE, parity_of
from data_tasks.digits import tasks as digits
from data_tasks.digits.words import WORDS
from data_tasks.formats.base import ABOUT, Fields, Format, Raw, about


@dataclasses.dataclass(frozen=True)
class Derived(Format):
    """Asks what follows from the digit that is seen or heard.

    Attributes:
      medium: "image" or "audio".
      kind: "parity" or "thrice".
    """

    medium: str
    kind: str

    @property
    def reads(self) -> tuple[str, ...]:
        return self.medium, "label"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", f"{self.medium}_inputs", "text_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        digit = int(raw["label"][0])
        wordings = PARITY if self.kind == "parity" else THRICE
        answer = parity_of(digit) if self.kind == "parity" else WORDS[(digit + 3) % 10]
        asked = {"text_inputs": str(rng.choice(wordings)), "text_targets": answer}
        return about(raw) | {f"{self.medium}_inputs": raw[self.medium]} | asked


for _medium in ("image", "audio"):
    for _kind in ("parity", "thrice"):
        digits.register(f"digits_{_medium}_{_kind}", "singles", Derived("", _medium, _kind))

MIXTURES = {
    "digits_connected_image": {"digits_image_to_text": 2.0, "digits_image_parity": 1.0},
    "digits_connected_audio": {"digits_audio_to_text": 2.0, "digits_audio_parity": 1.0},
    "digits_connected": {
        "digits_image_to_text": 2.0,
        "digits_audio_to_text": 2.0,
        "digits_larger": 1.0,
        "digits_image_parity": 0.5,
        "digits_audio_parity": 0.5,
    },
}

for _name, _rates in MIXTURES.items():
    seqio.MixtureRegistry.add(_name, [*_rates.items()])
