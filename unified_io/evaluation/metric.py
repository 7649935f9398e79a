"""What every metric is: a name, a number for predictions and truths, and how sure it is. Knows no task and no model."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unified_io.errors import DataError
from unified_io.evaluation import stats

_RESAMPLED = 200  # a score of all examples together is computed so often for its interval


@dataclasses.dataclass(frozen=True)
class Metric:
    """One number for the predictions of a task.

    Attributes:
      name: What it is called in tables.
      best: What predictions that equal the truth score.
      worst: What the least useful prediction scores; with `best` it says which way is up.
    """

    name: str
    best: float = 1.0
    worst: float = 0.0

    def total(self, predictions: Sequence[Any], truths: Sequence[Any]) -> float:
        """Returns the score of all examples."""
        raise NotImplementedError

    def score(self, predictions: Sequence[Any], truths: Sequence[Any], *, seed: int = 0) -> stats.Score:
        """Returns the score with its 95 % bootstrap interval over examples.

        Raises:
          DataError: There is no prediction, or not as many truths.
        """
        raise NotImplementedError

    def _check(self, predictions: Sequence[Any], truths: Sequence[Any]) -> None:
        if not len(predictions) or len(predictions) != len(truths):
            raise DataError(
                f"{self.name}: {len(predictions)} predictions for {len(truths)} truths; want one each, and at least one"
            )


@dataclasses.dataclass(frozen=True)
class Mean(Metric):
    """A mean over examples.

    Attributes:
      each: (prediction, truth) -> how right it is.
    """

    each: Callable[[Any, Any], float] = lambda prediction, truth: float(prediction == truth)

    def values(self, predictions: Sequence[Any], truths: Sequence[Any]) -> np.ndarray:
        """Returns the score of every example."""
        self._check(predictions, truths)
        return np.array([self.each(p, t) for p, t in zip(predictions, truths, strict=True)], np.float64)

    def total(self, predictions: Sequence[Any], truths: Sequence[Any]) -> float:
        return float(self.values(predictions, truths).mean())

    def score(self, predictions: Sequence[Any], truths: Sequence[Any], *, seed: int = 0) -> stats.Score:
        return stats.score(self.values(predictions, truths), seed=seed)


@dataclasses.dataclass(frozen=True)
class Whole(Metric):
    """A score of all examples together, such as an average precision; resampled examples give its interval.

    Attributes:
      all: (predictions, truths) -> the score.
      prepare: (predictions, truths) -> both as `all` shall get them, still one an example: the work that need not be
        done again for every resampling, such as embedding pictures or matching boxes. None: there is none.
    """

    all: Callable[[Sequence[Any], Sequence[Any]], float] = lambda predictions, truths: 0.0
    prepare: Callable[[Sequence[Any], Sequence[Any]], tuple[Sequence[Any], Sequence[Any]]] | None = None

    def total(self, predictions: Sequence[Any], truths: Sequence[Any]) -> float:
        return float(self.all(*self._prepared(predictions, truths)))

    def score(self, predictions: Sequence[Any], truths: Sequence[Any], *, seed: int = 0) -> stats.Score:
        made, true = self._prepared(predictions, truths)
        rng, count = np.random.default_rng(seed), len(true)
        drawn = [rng.integers(count, size=count) for _ in range(_RESAMPLED)]
        again = [self.all([made[i] for i in d], [true[i] for i in d]) for d in drawn]
        low, high = np.quantile(again, (0.025, 0.975))
        return stats.Score(float(self.all(made, true)), (float(low), float(high)), count)

    def _prepared(self, predictions: Sequence[Any], truths: Sequence[Any]) -> tuple[Sequence, Sequence]:
        self._check(predictions, truths)
        return self.prepare(predictions, truths) if self.prepare else (predictions, truths)
