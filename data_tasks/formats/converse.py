"""Goes on with a conversation: turns as turns, media in their places, the last answer to be written."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import PREFIXES, Fields, Format, Raw, judged
from data_tasks.formats.medium import seen, told
from unified_io.evaluation.cider import CIDER
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.text import EXACT

_SHOWN, _HEARD = ("pictures",), ("sounds",)


@dataclasses.dataclass(frozen=True)
class Converse(Format):
    """Answers an instruction after what was said before it, for models that read dialogs.

    Raw fields are words with slots such as <image>: `instruction`, and `context` as JSON, both as
    `modalities.connected.talk` reads them; pictures and sounds in the order of their slots.
    """

    prompts: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        return "instruction", "context", "response", "images", "audio", "audio_history"

    @property
    def writes(self) -> tuple[str, ...]:
        return "dialog_inputs", *told((*_SHOWN, *_HEARD))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return CIDER, EXACT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        # A crop could leave out what is talked about.
        shown = seen(raw, _SHOWN, rng, whole=True) if len(raw["images"]) else {}
        heard = seen(raw, _HEARD, rng) if raw.get("audio") is not None else {}
        words = {
            "text_inputs": f"{PREFIXES[self.output]} [S] {raw['instruction']}",
            "dialog_inputs": raw["context"],
            "text_targets": raw["response"],
        }
        return judged(raw, [raw["response"]]) | shown | heard | words

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return answer.strip()
