"""Format 2: questions about what is seen and heard, answered in words of one's own."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.counting import number_in
from data_tasks.formats.medium import read, seen, told
from unified_io.errors import DataError, unknown
from unified_io.evaluation.cider import CIDER
from unified_io.evaluation.metric import Mean, Metric
from unified_io.evaluation.text import EXACT
from unified_io.evaluation.vqa import VQA, normalise

STYLES = ("short", "sentence", "number", "rationale")
BECAUSE = " because "
_VOTES = 4  # answers from which they count as votes


@dataclasses.dataclass(frozen=True)
class Question(Format):
    """Answers a question, the slot {question} of the prompt. In training all answers are targets, beside each other.

    Attributes:
      media: What the question is about, names of `medium.MEDIA`; none for questions about words alone.
      style: "short"; a "sentence"; a "number", written in digits; a "rationale": the answer, "because" and why, which
        the answers of the source hold already.
      whole: Whether pictures are shown whole in training too, for what asks for all of them, such as how many.
    """

    media: tuple[str, ...] = ("image",)
    style: str = "short"
    whole: bool = False

    def __post_init__(self):
        if self.style not in STYLES:
            raise unknown("style of an answer", self.style, STYLES)

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(self.media), "question", "answers"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(self.media)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return {"sentence": (EXACT, CIDER), "rationale": (ANSWER, CIDER)}.get(self.style, (VOTES,))

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        question = asked(raw)
        answers = [text for answer in raw["answers"] if (text := self._written(answer))]
        if not answers:
            raise DataError(f"field answers holds no {self.style} answer: {raw['answers']}")
        targets = answers if raw.get("training", True) else _commonest(answers)
        texts = {"text_inputs": self.ask(raw, rng, question=question), "text_targets": targets}
        return judged(raw, answers) | seen(raw, self.media, rng, whole=self.whole) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return self._written(answer)

    def _written(self, answer: str) -> str:
        if self.style != "number":
            return " ".join(answer.split())
        number = number_in(answer)
        return "" if number is None else str(number)


def asked(raw: Raw) -> str:
    """Returns the question of an example.

    Raises:
      DataError: It is empty.
    """
    question = " ".join(raw["question"].split())
    if not question:
        raise DataError("field question is empty")
    return question


def _commonest(answers: Sequence[str]) -> str:
    """The answer that most people gave, as the first of them wrote it."""
    votes = collections.Counter(map(normalise, answers))
    return max(answers, key=lambda answer: votes[normalise(answer)])


def votes(prediction: str, answers: Sequence[str]) -> float:
    """Returns how right an answer is: by votes where many people answered, else whether it is one of theirs."""
    return (VQA if len(answers) >= _VOTES else EXACT).each(prediction, answers)


def _before(text: str) -> str:
    return text.partition(BECAUSE)[0]


VOTES = Mean(VQA.name, each=votes)
"""Prediction: a text. Truth: the answers of all people; of fewer than four, any is right."""

ANSWER = Mean(
    "answer",
    each=lambda prediction, answers: votes(_before(prediction), [*map(_before, answers)]),
)
