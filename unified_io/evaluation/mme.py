"""MME: two questions about each image, one to be answered with yes. Knows the names of the benchmark's subtasks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from unified_io.errors import DataError, unknown

PERCEPTION = (
    *("existence", "count", "position", "color", "posters"),
    *("celebrity", "scene", "landmark", "artwork", "OCR"),
)
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
FULL = 200.0
"""What every subtask is worth."""


class Question(NamedTuple):
    """A question of the benchmark: its subtask, which image it is about, and the right answer."""

    subtask: str
    image: str
    answer: Literal["yes", "no"]


def said(answer: str) -> str:
    """Returns "yes", "no" or "other": which of the two the first four characters hold, yes first.

    Source: the reading of answers of the benchmark's released program.
    """
    start = answer.strip().lower()[:4]
    return next((word for word in ("yes", "no") if word in start), "other")


def mme(answers: Sequence[str], questions: Sequence[Question]) -> dict[str, float]:
    """Returns the score of every subtask: 100 times the share of right answers, and of images with both right.

    Raises:
      DataError: There are not as many answers as questions, no question, or an image has not two of them.
      ConfigError: A subtask is unknown.

    Source: Fu et al., "MME: a comprehensive evaluation benchmark for multimodal large language models" (2023).
    """
    if not len(questions) or len(answers) != len(questions):
        raise DataError(
            f"{len(answers)} answers to {len(questions)} questions; want one each, and at least one"
        )
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for answer, question in zip(answers, questions, strict=True):
        if question.subtask not in PERCEPTION + COGNITION:
            raise unknown("subtask of MME", question.subtask, PERCEPTION + COGNITION)
        if question.answer not in ("yes", "no"):
            raise DataError(f"the right answer is {question.answer!r}; MME asks for 'yes' or 'no'")
        right[question.subtask][question.image].append(said(answer) == question.answer)
    for subtask, images in right.items():
        if wrong := [image for image, found in images.items() if len(found) != 2]:
            raise DataError(
                f"image {wrong[0]!r} of {subtask} has {len(images[wrong[0]])} questions; want the benchmark's two"
            )
    return {subtask: _score(list(images.values())) for subtask, images in right.items()}


def totals(scores: Mapping[str, float]) -> dict[str, float]:
    """Returns the sums over subtasks: perception, of 2,000, and cognition, of 800.

    Raises:
      DataError: A subtask has no score, or one that it can not have.
    """
    if missing := [name for name in PERCEPTION + COGNITION if name not in scores]:
        raise DataError(
            f"no score for {', '.join(missing)}; a total needs all {len(PERCEPTION + COGNITION)} subtasks"
        )
    if wrong := [name for name, score in scores.items() if not 0.0 <= score <= FULL]:
        raise DataError(f"score of {wrong[0]} is {scores[wrong[0]]}; want 0 to {FULL:g}")
    return {
        "perception": sum(scores[name] for name in PERCEPTION),
        "cognition": sum(scores[name] for name in COGNITION),
    }


def _score(images: list[list[bool]]) -> float:
    each, both = sum(map(sum, images)) / (2 * len(images)), sum(map(all, images)) / len(images)
    return FULL / 2 * (each + both)
