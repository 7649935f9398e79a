"""Format 7: does what an instruction says, alone, about a text, about media, or within a conversation."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.medium import read, seen, told
from unified_io.errors import ConfigError, DataError, unknown
from unified_io.evaluation.cider import CIDER
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.text import EXACT

EXTRA = ("context", "turns")
ROLES = ("system", "user", "assistant")


@dataclasses.dataclass(frozen=True)
class Instruct(Format):
    """Writes the response to an instruction, the slot {instruction} of the prompt.

    What it is about, the slot {context}, stands behind it and is what gets cut: the instruction always survives. Where
    there is such text, the wordings are those of the file `<prompts>_context`, or `<prompts>_turns` in a conversation.

    Attributes:
      media: What the instruction is about besides text, names of `medium.MEDIA`.
      extra: ("context",): the text it is about, which may be empty. ("turns",): a whole conversation, in place of
        `instruction` and `response`; one turn of the assistant is the target, drawn in training, else the last, the
        turn before it is the instruction, and of earlier ones the oldest are cut.
      room: Characters of instruction and context together, and of the response. 2,000 are some 500 tokens of English.
        Longer instructions and responses are left out.
      whole: Whether pictures are shown whole in training too, for what asks for all of them, such as how many.

    Source: the released preprocessing, which cuts contexts and leaves out what is too long of other instructions.
    """

    media: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    room: int = 2000
    whole: bool = False

    def __post_init__(self):
        for name in self.extra:
            if name not in EXTRA:
                raise unknown("text beside an instruction", name, EXTRA)
        if len(self.extra) > 1:
            raise ConfigError(
                "an instruction has a context or is part of a conversation; give one of the two"
            )

    @property
    def reads(self) -> tuple[str, ...]:
        words = ("turns",) if self.extra == ("turns",) else ("instruction", "response", *self.extra)
        return *read(self.media), *words

    @property
    def writes(self) -> tuple[str, ...]:
        return told(self.media)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return CIDER, EXACT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        if self.extra == ("turns",):
            instruction, response, context = self._turn(raw, rng)
        else:
            instruction, response = raw["instruction"].strip(), raw["response"].strip()
            context = (
                _first(raw.get("context", "").strip(), self.room - len(instruction)) if self.extra else ""
            )
        for name, text in (("instruction", instruction), ("response", response)):
            if not 0 < len(text) <= self.room:
                raise DataError(
                    f"the {name} has {len(text)} characters; want 1 to {self.room}, the room of the format"
                )
        content = {"instruction": instruction} | ({"context": context} if context else {})
        asked = dataclasses.replace(self, prompts=f"{self.prompts}_{self.extra[0]}") if context else self
        texts = {"text_inputs": asked.ask(raw, rng, **content), "text_targets": response}
        return judged(raw, [response]) | seen(raw, self.media, rng, whole=self.whole) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return answer.strip()

    def _turn(self, raw: Raw, rng: np.random.Generator) -> tuple[str, str, str]:
        """An instruction, its response, and what was said before, of which the latest is kept."""
        turns = _checked(raw["turns"])
        answered = [
            place
            for place in range(1, len(turns))
            if turns[place][0] == "assistant" and turns[place - 1][0] == "user"
        ]
        if not answered:
            raise DataError("field turns has no turn of the assistant behind one of the user")
        place = answered[rng.integers(len(answered))] if raw.get("training", True) else answered[-1]
        instruction, response = turns[place - 1][1], turns[place][1]
        before = "\n".join(f"{role}: {text}" for role, text in turns[: place - 1])
        return instruction, response, _last(before, self.room - len(instruction))


def _checked(turns: Any) -> list[tuple[str, str]]:
    found = []
    for turn in turns:
        match turn:
            case [str(role), str(text)] if role in ROLES and text.strip():
                found.append((role, text.strip()))
            case _:
                raise DataError(
                    f"field turns has {str(turn)[:60]!r}; want [role, text], the role one of {ROLES}"
                )
    return found


def _first(text: str, room: int) -> str:
    """The words from the front that there is room for."""
    if len(text) <= max(room, 0):
        return text
    return (text[: max(room, 0) + 1].rpartition(" ")[0] or text[: max(room, 0)]).rstrip()


def _last(text: str, room: int) -> str:
    """The words from the end that there is room for."""
    if len(text) <= max(room, 0):
        return text
    whole = len(text) - max(room, 0)
    return (text[whole - 1 :].partition(" ")[2] or text[whole:]).lstrip()
