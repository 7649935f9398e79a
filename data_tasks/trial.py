"""A trained model on a task, between what needs no model and what no model can exceed. Knows registrations.

Tasks of pre-training are judged by their loss: a uniform guess is chance, blind is who knows how often each token comes
or the model with the inputs of another example, and no model can exceed 0.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_tasks.foreseen import LOSS, foresee
from data_tasks.formats.base import Format
from data_tasks.registry import REGISTRY
from unified_io.api import UnifiedIO
from unified_io.data import pipeline
from unified_io.data.denoised import Denoised
from unified_io.errors import DataError, unknown
from unified_io.evaluation.evaluator import answers
from unified_io.evaluation.kind import is_blank
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.stats import Score
from unified_io.preprocess.denoisers.objective import Objective

_CANDIDATES = 40  # training answers of which the best constant one is taken
_MEDIA = ("image", "audio", "image_history", "audio_history")


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
      task: Name of the task.
      format: Class of its format.
      metric: What it is judged by.
      chance: Score of training answers drawn at random.
      blind: The better of two answers that look at nothing: the best constant one of the training answers, and the
        model's own, given the media of another example, or its prompt where a task has no media.
      model: Score of the model with its interval.
      ceiling: Score of the true target, written as tokens and read back.
    """

    task: str
    format: str
    metric: Metric
    chance: float
    blind: float
    model: Score
    ceiling: float

    @property
    def beats_blind(self) -> bool:
        """Whether all of the model's interval lies beyond the blind score."""
        low, high = self.model.interval
        return low > self.blind if self.metric.best > self.metric.worst else high < self.blind


class Trial:
    """Judges a model on registered tasks."""

    def __init__(
        self,
        model: UnifiedIO,
        source: Any,
        split: str = "test",
        examples: int = 200,
        seed: int = 0,
        objective: Objective | None = None,
    ):
        """Sets up a trial; nothing is read yet.

        Args:
          model: The model.
          source: What the tasks are read from, as in training.
          split: The split to judge on.
          examples: How many of it at the most.
          seed: Seeds whatever is drawn.
          objective: What tasks of pre-training are asked for, as in training.
        """
        self._model, self._source, self._split, self._count, self._seed = model, source, split, examples, seed
        self._objective = objective

    def row(self, task: str) -> Row:
        """Judges one task.

        Raises:
          ConfigError: Nobody registered it, or it is one of pre-training, and there is no objective.
          DataError: It has no metric, or a split has no example that can be used.
        """
        if task not in REGISTRY:
            raise unknown("registered task", task, REGISTRY)
        form = REGISTRY[task].form
        test = self._examples(task, self._split, self._count)
        training = self._examples(task, "train", _CANDIDATES + self._count // 2)
        if isinstance(form, Denoised):
            return self._foreseen(task, form, test, training)
        if not form.metrics:
            raise DataError(f"{task} has no metric; give its format one")
        metric = form.metrics[0]
        truths = [form.truth(example) for example in test]
        # Answers as they were written, read anew for every example: pictures differ in size.
        candidates = [_target(form, example) for example in training[:_CANDIDATES]]
        others = training[_CANDIDATES:]
        known = [form.truth(example) for example in others]
        scores = [metric.total(_read(form, [one] * len(others), others), known) for one in candidates]
        best = candidates[int(np.argmax(scores) if metric.best > metric.worst else np.argmin(scores))]
        rng = np.random.default_rng(self._seed)
        drawn = [candidates[i] for i in rng.integers(len(candidates), size=len(test))]
        blind = (
            metric.total(_read(form, [best] * len(test), test), truths),
            metric.total(self._answers(form, _swapped(test)), truths),
        )
        return Row(
            task,
            type(form).__name__,
            metric,
            chance=metric.total(_read(form, drawn, test), truths),
            blind=max(blind) if metric.best > metric.worst else min(blind),
            model=metric.score(self._answers(form, test), truths, seed=self._seed),
            ceiling=metric.total(self._true(form, test), truths),
        )

    def _foreseen(self, task: str, form: Denoised, test: Sequence[Any], training: Sequence[Any]) -> Row:
        found = foresee(self._model, test, training, seed=self._seed)
        blind = min(found.frequencies, found.swapped)
        return Row(task, form.record.__name__, LOSS, found.chance, blind, found.model, LOSS.best)

    def _examples(self, task: str, split: str, count: int) -> list[dict[str, Any]]:
        config = self._model.config
        bound = pipeline.bind(
            task, config.inputs, config.targets, source=self._source, objective=self._objective
        )
        rows = pipeline.examples(bound, split, seed=self._seed, shuffle=split == "train")
        found: list[dict[str, Any]] = []
        while len(found) < count:
            try:
                found.append(next(rows))
            except DataError:
                continue
            except StopIteration:
                break
        if len(found) < 2:
            raise DataError(
                f"{task} has {len(found)} usable examples in {split!r}; look at it with `unified-io data show`"
            )
        return found

    def _answers(self, form: Format, examples: Sequence[dict[str, Any]]) -> list[Any]:
        return _read(
            form, answers(self._model, form, examples, {**form.decoding, "seed": self._seed}, {}), examples
        )

    def _true(self, form: Format, examples: Sequence[dict[str, Any]]) -> list[Any]:
        """The true targets, as far as their tokens keep them."""
        targets = [_target(form, example) for example in examples]
        if form.output in ("image", "audio"):
            targets = self._model.reconstruct(targets, form.output)
        return _read(form, targets, examples)


def _read(form: Format, given: Sequence[Any], examples: Sequence[dict[str, Any]]) -> list[Any]:
    return [form.parse(answer, example) for answer, example in zip(given, examples, strict=True)]


def _target(form: Format, example: dict[str, Any]) -> Any:
    """The true target of an example; of several answers the first."""
    target = example[f"{form.output}_targets"]
    return target[0] if isinstance(target, list) else target


def _swapped(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every example with the media of the one before it; what is asked and what is true stay.

    Where no example has media, what is asked is all there is to go by, and is that of the one before.
    """
    media = [f"{medium}_{kind}" for medium in _MEDIA for kind in ("inputs", "input_masks")]
    seen = any(key in example and not is_blank(example[key]) for example in examples for key in media)
    fields = media if seen else ["text_inputs"]
    return [
        {**example, **{key: other[key] for key in fields if key in other}}
        for example, other in zip(examples, [examples[-1], *examples[:-1]], strict=True)
    ]
