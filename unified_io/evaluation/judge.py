"""What judges the answers to a task, and how a task carries it: whoever evaluates asks the task itself."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from unified_io.errors import ConfigError
from unified_io.evaluation.metric import Metric


class Judge(Protocol):
    """Knows what is asked for and how right an answer is. The formats of `data_tasks` are judges."""

    @property
    def output(self) -> str:
        """The target modality that is asked for."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What predictions are judged by, the one to quote first."""
        ...

    @property
    def decoding(self) -> Mapping[str, Any]:
        """Options of `Model.generate_fields` that answers are made with unless the user says otherwise."""
        ...

    def parse(self, answer: Any, example: Mapping[str, Any]) -> Any:
        """Turns an answer, a raw field of `output`, into what the metrics compare; never fails."""
        ...

    def truth(self, example: Mapping[str, Any]) -> Any:
        """Returns what is true of an example, in the form of `parse`."""
        ...

    def options(self, example: Mapping[str, Any]) -> Sequence[str]:
        """Returns what the answer is to be chosen from; nothing where it is free."""
        ...


class Model(Protocol):
    """What is judged, by what it can do in raw fields; `unified_io.api.UnifiedIO` is one."""

    config: Any

    def generate_fields(
        self, examples: Sequence[Mapping[str, Any]], output: str, **options: Any
    ) -> list[Any]:
        """Makes one output for every example."""
        ...

    def score_fields(
        self, examples: Sequence[Mapping[str, Any]], answers: Sequence[str], **options: Any
    ) -> np.ndarray:
        """Returns the log-probability of every answer to every example."""
        ...


@dataclasses.dataclass(frozen=True)
class Judged:
    """A seqio `postprocess_fn` that carries the judge of its task, and does for seqio what the judge does.

    Attributes:
      judge: Reads answers and knows the truth.
    """

    judge: Judge

    def __call__(
        self, answer: Any, example: Mapping[str, Any] | None = None, is_target: bool = False, **_: Any
    ) -> Any:
        return self.judge.truth(example or {}) if is_target else self.judge.parse(answer, example or {})


def judge_of(task: Any) -> Judge:
    """Returns the judge that a seqio task carries.

    Raises:
      ConfigError: It carries none, or one without a metric.
    """
    judge = getattr(task.postprocessor, "judge", None)
    if judge is None:
        raise ConfigError(
            f"task {task.name!r} has no judge, so its answers can not be scored; register it with a format "
            "(data_tasks.registry.register), or give it postprocess_fn=Judged(…) of unified_io.evaluation.judge"
        )
    if not judge.metrics:
        raise ConfigError(
            f"task {task.name!r} is judged by {type(judge).__name__}, which has no metric; give it one in `metrics`"
        )
    return judge
