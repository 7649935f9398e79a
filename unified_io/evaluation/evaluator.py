"""Runs a model on tasks and judges what it says. Knows models and judges by what they can do, and no task by name."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import seqio

from unified_io.data import pipeline
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation import stats
from unified_io.evaluation.fingerprint import Fingerprint
from unified_io.evaluation.judge import Judge, Model, judge_of
from unified_io.evaluation.kind import is_blank
from unified_io.evaluation.ledger import Ledger, Shown
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.predictions import Predictions, plain
from unified_io.evaluation.provenance import Provenance

TOGETHER = (
    32  # examples of one call of the model; what is drawn for an example depends on its place among them
)
_MOST_BAD = 0.05  # of the examples may be unreadable, once a hundred were read

Tell = Callable[[int], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one task.

    Attributes:
      task: Its name.
      split: What was read.
      metrics: What it is judged by, the one to quote first.
      scores: By the name of a metric.
      fingerprints: What each score depends on besides the weights, by the name of a metric; only scores with equal
        ones may be compared.
      bad: Examples that could not be read: why.
      shown: Some examples, spread over all.
      field: The target field of the answers.
    """

    task: str
    split: str
    metrics: tuple[Metric, ...]
    scores: Mapping[str, stats.Score]
    fingerprints: Mapping[str, Fingerprint]
    bad: tuple[str, ...]
    shown: tuple[Shown, ...]
    field: str


@dataclasses.dataclass(frozen=True)
class Evaluator:
    """Runs a model on registered seqio tasks that carry a judge.

    Attributes:
      model: What is judged.
      folder: Gets a folder a task, with predictions; what is predicted there is not predicted again.
      split: A split of the tasks.
      count: Examples a task: the first ones.
      source: Read in place of the sources that tasks declare.
      decoding: Options of `Model.generate_fields` that change what it says, before those of a task's judge.
      batch_size: Rows the model computes at once; None is its own number.
      weights: What tells these weights from others.
    """

    model: Model
    folder: Path
    split: str = "validation"
    count: int = 256
    source: pipeline.Replacement | None = None
    decoding: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    batch_size: int | None = None
    weights: str = ""

    def check(self, tasks: Sequence[str]) -> None:
        """Finds what can not work before anything is read.

        Raises:
          ConfigError: A task is unknown, is a mixture or has no judge, or asks for what the model does not write.
        """
        if self.count < 1:
            raise ConfigError(f"{self.count} examples to judge; give at least 1")
        for name in tasks:
            if name in seqio.MixtureRegistry.names() and name not in seqio.TaskRegistry.names():
                parts = ", ".join(sorted(task.name for task in seqio.MixtureRegistry.get(name).tasks))
                raise ConfigError(f"{name!r} is a mixture, and tasks are judged one by one; it has {parts}")
            task = pipeline.bind(name, self.model.config.inputs, self.model.config.targets)
            self.model.config.target(judge_of(task).output)

    def __call__(self, name: str, tell: Tell = lambda done: None) -> Outcome:
        """Judges one task.

        Args:
          name: A registered task.
          tell: Called with the number of examples that are done.

        Raises:
          ConfigError: As `check`, or the folder holds the answers of another run.
          DataError: No example can be read, or too many can not.
        """
        self.check([name])
        config = self.model.config
        task = pipeline.bind(name, config.inputs, config.targets, source=self.source)
        judge, reader = judge_of(task), _Reader(task, self.split, self.count)
        target = config.target(judge.output)
        decoding = {**judge.decoding, **self.decoding}
        run = {"split": self.split, "decoding": plain(decoding), "weights": self.weights}
        kept = Predictions(self.folder / name, target, run)
        ledger = Ledger(judge, self.count)
        provenance = Provenance(f"{name}, {self.split}", judge, plain(decoding), config)
        running = {} if self.batch_size is None else {"batch_size": self.batch_size}
        for start, examples in _chunks(reader, TOGETHER):
            where = range(start, start + len(examples))
            for index, example in zip(where, examples, strict=True):
                if index in kept:
                    kept.check(index, example)
            if missing := [index for index in where if index not in kept]:
                seed = pipeline.fold(int(decoding.get("seed", 0)), start)
                made = answers(self.model, judge, examples, {**decoding, "seed": seed}, running)
                for index, answer in zip(where, made, strict=True):
                    if index in missing:
                        kept.add(index, examples[index - start], answer, ledger.judge)
            for index, example in zip(where, examples, strict=True):
                provenance.see(example)
                ledger.add(index, example, kept.answer(index))
            tell(start + len(examples))
        if not len(ledger):
            raise DataError(f"split {self.split!r} of {name!r} gave no example; {reader.why()}")
        return Outcome(
            name,
            self.split,
            judge.metrics,
            ledger.scores(),
            provenance.fingerprints(),
            tuple(reader.bad),
            tuple(ledger.shown),
            target.fields[0],
        )


def answers(
    model: Model,
    judge: Judge,
    examples: Sequence[Mapping[str, Any]],
    decoding: Mapping[str, Any],
    running: Mapping[str, Any],
) -> list[Any]:
    """Returns what a model answers: the likeliest option where there are some, else what it writes.

    Args:
      model: The model.
      judge: What is asked for.
      examples: In raw fields.
      decoding: Options of `Model.generate_fields` that change what it says.
      running: Options that do not.
    """
    made: list[Any] = [None] * len(examples)
    fields = [_present(example) for example in examples]
    asked = [tuple(judge.options(example)) for example in examples]
    for options in dict.fromkeys(asked):
        rows = [row for row, its in enumerate(asked) if its == options]
        given = [fields[row] for row in rows]
        if options:
            scores = model.score_fields(given, list(options), **running)
            found = [options[int(best)] for best in np.argmax(scores, axis=1)]
        else:
            found = model.generate_fields(given, judge.output, **{**decoding, **running})
        for row, answer in zip(rows, found, strict=True):
            made[row] = answer
    return made


class _Reader:
    """The first examples of a split that can be read, and why others can not."""

    def __init__(self, task: Any, split: str, count: int):
        self.bad: list[str] = []
        self._examples, self._count, self._read = pipeline.examples(task, split), count, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while self._read < self._count:
            try:
                example = next(self._examples)
            except StopIteration:
                return
            except DataError as error:
                self.bad.append(str(error))
                seen = self._read + len(self.bad)
                if len(self.bad) > _MOST_BAD * max(seen, 100):
                    raise DataError(f"{len(self.bad)} of {seen} examples can not be read: {error}") from error
                continue
            self._read += 1
            yield example

    def why(self) -> str:
        """Says why there may be no example."""
        return f"the first that can not be read: {self.bad[0]}" if self.bad else "look at its source"


def _chunks(items: Iterable[Any], size: int) -> Iterator[tuple[int, list[Any]]]:
    """Yields the items in groups, each with the number of its first."""
    rest = iter(items)
    for start in itertools.count(0, size):
        if not (chunk := list(itertools.islice(rest, size))):
            return
        yield start, chunk


def _present(example: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are there: what nobody gave costs the model nothing."""
    return {key: value for key, value in example.items() if not is_blank(value)}
