"""Counts the things of one class in a picture; the number may be asked for as a gap in a sentence."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.medium import read, seen, told
from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean, Metric
from unified_io.preprocess.window import Window
from unified_io.vocab import sentinel_word

NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_NONE = ("no", "none", "nothing", "nobody")
_ABSENT = 0.2  # how often a class is asked for that is not there


@dataclasses.dataclass(frozen=True)
class Count(Format):
    """Counts the boxes of a class, the slot {name}. All of the picture is shown, or what is cropped would be missed.

    Where `classes` are mapped, a class that is not there is asked for now and then. Classes with crowds are left out.

    Attributes:
      masked: Whether the number is a gap, the slot {gap}, and the target names it.
    """

    masked: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("image",)), "boxes", "names"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return COUNT, OFF

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        names = raw["names"]
        name = self._class(raw, rng)
        count, gap = names.count(name), sentinel_word(0)
        content = {"name": name} | ({"gap": gap} if self.masked else {})
        texts = {
            "text_inputs": self.ask(raw, rng, **content),
            "text_targets": f"{gap} {count}" if self.masked else str(count),
        }
        whole = Window.around(raw["image"].shape[:2])
        return judged(raw, count) | seen(raw, ("image",), rng, whole) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> int:
        number = number_in(answer.replace(sentinel_word(0), " "))
        return -1 if number is None else number

    def _class(self, raw: Raw, rng: np.random.Generator) -> str:
        names = raw["names"]
        if len(names) != len(raw["boxes"]):
            raise DataError(
                f"field names has {len(names)} entries for {len(raw['boxes'])} boxes; want one each"
            )
        crowds = raw.get("crowd")
        many = (
            {name for name, crowd in zip(names, crowds, strict=True) if crowd}
            if crowds is not None
            else set()
        )
        present = [name for name in dict.fromkeys(names) if name not in many]
        absent = [name for name in raw.get("classes", []) if name not in names]
        if absent and (not present or rng.random() < _ABSENT):
            return absent[rng.integers(len(absent))]
        if not present:
            raise DataError("field names holds no class that can be counted")
        return present[rng.integers(len(present))]


def number_in(text: str) -> int | None:
    """Returns the first whole number that a text names, in digits or words up to twenty.

    "there are Two, not 3" -> 2        "none of them" -> 0        "many" -> None
    """
    for word in re.findall(r"\d+|[a-z]+", text.lower()):
        if word.isascii() and word.isdigit():
            return int(word[:9])
        if word in NUMBERS:
            return NUMBERS.index(word)
        if word in _NONE:
            return 0
    return None


COUNT = Mean("count")
OFF = Mean(
    "count_off", 0.0, 1.0, each=lambda prediction, truth: min(1.0, abs(prediction - truth) / max(truth, 1))
)
