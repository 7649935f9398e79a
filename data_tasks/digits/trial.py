"""The digits put to the test: what the model makes of every test example, and how it is judged.

Knows tasks, judges and the model's interface; nothing of pages.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_tasks.digits import judges, strokes, words
from data_tasks.digits.source import DigitsSource
from data_tasks.digits.tasks import MODALITIES
from unified_io.api import UnifiedIO
from unified_io.evaluation import boxes, media, text
from unified_io.structures import text_to_boxes

RENDER_SIZE = 16


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One task on the test split.

    Attributes:
      task: Name of the task.
      given: Input modality, "" for composites.
      wanted: Output modality.
      examples: Test examples, raw fields.
      outputs: What the model made, in order.
      labels: The true digit of every example, or its digits.
      scores: How right every output is, in [0, 1].
    """

    task: str
    given: str
    wanted: str
    examples: Sequence[dict[str, Any]]
    outputs: Sequence[Any]
    labels: np.ndarray
    scores: np.ndarray


class Court:
    """The judges: fitted on training digits and training voices, and how often they are right on real test data."""

    def __init__(self, digits: DigitsSource):
        train, test = digits.stock("train"), digits.stock("test")
        self.image = judges.ImageJudge().fit(train.digits.images, train.digits.labels)
        self.audio = judges.AudioJudge().fit(train.clips.mels, train.clips.labels)
        drawn = np.stack([strokes.render(points, RENDER_SIZE) for points in test.points])
        self.ceilings = {
            "image": self.image.accuracy(test.digits.images, test.digits.labels),
            "audio": self.audio.accuracy(test.clips.mels, test.clips.labels),
            "action": self.image.accuracy(drawn, test.digits.labels),
            "text": 1.0,
        }

    def read(self, outputs: Sequence[Any], modality: str) -> np.ndarray:
        """Which digit each output shows, says or draws: int [n], -1 where none."""
        if modality == "text":
            return np.array([-1 if (digit := words.parse(output)) is None else digit for output in outputs])
        if modality == "audio":
            return self.audio.predict(np.stack(outputs))
        if modality == "image":
            return self.image.predict(np.stack([output.mean(axis=-1) for output in outputs]))
        empty = np.array([len(points) < 2 for points in outputs])
        drawn = np.stack([strokes.render(points, RENDER_SIZE) for points in outputs])
        return np.where(empty, -1, self.image.predict(drawn))

    def ceiling(self, given: str, wanted: str) -> float:
        """What a pair could reach: the judge of the output on real test data; for text, the judge of the input."""
        return self.ceilings[given if wanted == "text" else wanted]


COMPOSITES = ("two_boxes", "box_to_label", "larger", "sum", "segment", "inpaint")


class Trial:
    """Runs the model on the test split, task by task.

    Attributes:
      court: The judges.
    """

    def __init__(self, digits: DigitsSource, model: UnifiedIO, count: int, seed: int):
        self.court = Court(digits)
        self._digits, self._model, self._count, self._seed = digits, model, count, seed

    def pair(self, given: str, wanted: str) -> Outcome:
        """Tests one directed pair of modalities."""
        task = f"digits_{given}_to_{wanted}"
        examples, outputs = self._run(task, wanted)
        labels = np.array([example["meta/labels"][0] for example in examples])
        right = self.court.read(outputs, wanted) == labels
        return Outcome(task, given, wanted, examples, outputs, labels, right.astype(float))

    def composite(self, name: str) -> Outcome:
        """Tests one composite task."""
        wanted = "image" if name in ("segment", "inpaint") else "text"
        examples, outputs = self._run(f"digits_{name}", wanted)
        labels = np.stack([example["meta/labels"] for example in examples])
        if name == "inpaint":
            scores = self.court.read(outputs, "image") == labels[:, 0]
        else:
            judge = {"two_boxes": _boxes_right, "segment": _mask_overlap}.get(name, _same_text)
            scores = [judge(output, example) for output, example in zip(outputs, examples, strict=True)]
        return Outcome(f"digits_{name}", "", wanted, examples, outputs, labels, np.array(scores, float))

    @functools.cached_property
    def pairs(self) -> dict[str, Outcome]:
        """All twelve directed pairs by name, "image->text"."""
        return {f"{a}->{b}": self.pair(a, b) for a in MODALITIES for b in MODALITIES if a != b}

    @functools.cached_property
    def composites(self) -> dict[str, Outcome]:
        """All composites by name."""
        return {name: self.composite(name) for name in COMPOSITES}

    def _run(self, task: str, wanted: str) -> tuple[list[dict[str, Any]], list[Any]]:
        from unified_io.data import pipeline

        config = self._model.config
        bound = pipeline.bind(task, config.inputs, config.targets, source=self._digits)
        examples = list(pipeline.examples(bound, "test"))
        # spread over the whole split: neighbouring rows share a writer
        chosen = np.linspace(0, len(examples) - 1, min(self._count, len(examples))).astype(int)
        examples = [examples[index] for index in chosen]
        return examples, self._model.generate_fields(examples, wanted, seed=self._seed)


def _boxes_right(answer: str, example: dict[str, Any]) -> float:
    """Part of the true boxes found at an overlap of a half, with their label."""
    made, truth = text_to_boxes(answer), text_to_boxes(example["text_targets"])
    return boxes.accuracy(made.boxes, made.labels, truth.boxes, truth.labels)


def _mask_overlap(picture: np.ndarray, example: dict[str, Any]) -> float:
    return media.mask_iou(picture.mean(axis=-1) > 0.5, example["image_targets"].mean(axis=-1) > 0.5)


def _same_text(answer: str, example: dict[str, Any]) -> float:
    return text.exact_match(answer, [example["text_targets"]])
