"""Format 3: questions with options to choose from."""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.medium import read, seen, told
from data_tasks.formats.qa import asked
from unified_io.errors import DataError
from unified_io.evaluation import choice
from unified_io.evaluation.metric import Mean, Metric
from unified_io.evaluation.text import normalise

_NEAR = 0.8  # likeness, of 1, from which a misspelt answer counts as an option


@dataclasses.dataclass(frozen=True)
class Choose(Format):
    """Chooses the right option; the prompt has the slots {question} and {options}. Training shuffles them.

    Attributes:
      media: What the question is about, names of `medium.MEDIA`; none for questions about words alone.
      whole: Whether pictures are shown whole in training too, for what asks for all of them, such as how many.
    """

    media: tuple[str, ...] = ("image",)
    whole: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(self.media), "question", "options", "name"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(self.media)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (CHOICE,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        question, options = asked(raw), raw["options"]
        check_options("options", options, raw["name"])
        if raw.get("training", True):
            options = [options[place] for place in rng.permutation(len(options))]
        texts = {
            "text_inputs": self.ask(raw, rng, question=question, options="; ".join(options)),
            "text_targets": raw["name"],
        }
        return judged(raw, raw["name"], options) | seen(raw, self.media, rng, whole=self.whole) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return nearest(answer, self.options(example))


def check_options(field: str, options: Sequence[str], name: str) -> None:
    """Checks what an answer is to be chosen from.

    Raises:
      DataError: It is not among the options, or there are fewer than two, or two that are the same; names the field.
    """
    if name not in options:
        near = nearest(name, options)
        hint = f"; did you mean {near!r}?" if near in options else ""
        raise DataError(f"field name is {name!r}, which is none of the {len(options)} {field}{hint}")
    if len(options) < 2 or len(set(options)) < len(options):
        raise DataError(f"field {field} is {list(options)[:20]}; want two or more different ones")


def nearest(answer: str, options: Sequence[str]) -> str:
    """Returns the option that an answer means, up to case, punctuation and a slip; the answer if none is near."""
    if answer in options:
        return answer
    known = {normalise(option): option for option in reversed(options)}
    text = normalise(answer)
    near = [text] if text in known else difflib.get_close_matches(text, known, 1, _NEAR)
    return known[near[0]] if near else answer


CHOICE = Mean(choice.CHOICE.name)
"""Prediction and truth: an option, as it is written; "a+b" and "a-b" differ by no more than punctuation."""
