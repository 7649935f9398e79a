"""How sure a mean is: the percentile bootstrap. Knows numbers only, not what they measure."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unified_io.errors import ConfigError, DataError

_DRAWN_AT_ONCE = 4_000_000  # indices held in memory while resampling: 32 MB


@dataclasses.dataclass(frozen=True)
class Score:
    """A mean over examples with its interval.

    Attributes:
      score: The mean.
      interval: Its lower and upper bound, 95 % unless it was asked for otherwise.
      n: How many examples were averaged.
    """

    score: float
    interval: tuple[float, float]
    n: int


def score(values: Float[np.ndarray, "n"] | Sequence[float], *, level: float = 0.95, seed: int = 0) -> Score:
    """Returns the mean of one number an example (0 or 1 for accuracy) with its bootstrap interval.

    Raises:
      DataError: There is no value, or one is not finite.
    """
    array = _checked(values)
    return Score(float(array.mean()), bootstrap_interval(array, level=level, seed=seed), len(array))


def bootstrap_interval(
    values: Float[np.ndarray, "n"] | Sequence[float],
    *,
    level: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval (low, high) of the mean of `values`.

    Examples are drawn with replacement `samples` times; the interval holds the middle `level` of the means.
    Where all values are equal it has no width, whatever the truth: read it with the number of examples.

    Raises:
      ConfigError: The level is not between 0 and 1, or no sample was asked for.
      DataError: There is no value, or one is not finite.
    Source: Efron, "Bootstrap methods: another look at the jackknife" (1979).
    """
    if not 0.0 < level < 1.0 or samples < 1:
        raise ConfigError(
            f"level is {level} and samples {samples}; level lies in (0, 1), samples is 1 or more"
        )
    array = _checked(values)
    generator = np.random.default_rng(seed)
    rows = max(1, _DRAWN_AT_ONCE // len(array))
    means = [
        array[generator.integers(len(array), size=(min(rows, samples - start), len(array)))].mean(axis=1)
        for start in range(0, samples, rows)
    ]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(np.concatenate(means), (tail, 1.0 - tail))
    return float(low), float(high)


def normalised(score: float, chance: float, ceiling: float) -> float:
    """Returns the share of the way from chance (0) to the ceiling (1) that a score has come; not clipped.

    Raises:
      ConfigError: The ceiling is not above chance.
    """
    if not ceiling > chance:
        raise ConfigError(f"ceiling is {ceiling} and chance {chance}; the ceiling must lie above chance")
    return (score - chance) / (ceiling - chance)


def _checked(values: Float[np.ndarray, "n"] | Sequence[float]) -> Float[np.ndarray, "n"]:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not len(array):
        raise DataError(f"scores have shape {array.shape}; want one number an example, and at least one")
    if not np.isfinite(array).all():
        raise DataError(
            f"score of example {int(np.argmin(np.isfinite(array)))} is not finite; mend the metric"
        )
    return array
