"""Lists of numbers that an agent acts by or stands at, written as location tokens, each within its range."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unified_io.api.actions import TURN, WORLD
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.metric import Mean
from unified_io.structures import text_to_values, to_middle, values_to_text


@dataclasses.dataclass(frozen=True)
class Command:
    """How a list of numbers is written: each from its least to its greatest value, one location token a number.

    Attributes:
      low: The least values.
      high: The greatest.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self):
        if not self.low or len(self.low) != len(self.high) or not np.all(np.less(self.low, self.high)):
            raise ConfigError(
                f"numbers from {self.low} to {self.high}; give as many of each, every one less than its greatest"
            )

    def scaled(self, values: Sequence[float]) -> Float[np.ndarray, "k"]:
        """Returns numbers as parts of their ranges.

        Raises:
          DataError: They are not as many, or one lies outside of its range.
        """
        low, high = np.array(self.low), np.array(self.high)
        try:
            given = np.asarray(values, np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{values!r} is no list of numbers") from error
        if given.shape != low.shape or not ((given >= low) & (given <= high)).all():
            raise DataError(
                f"numbers {given.tolist()}, wanted {len(low)} from {self.low} to {self.high}; state the dataset's range"
            )
        return (given - low) / (high - low)

    def write(self, values: Sequence[float]) -> str:
        """Returns numbers as location tokens."""
        return values_to_text(self.scaled(values)[None], len(self.low))

    def read(self, text: str) -> Float[np.ndarray, "k"] | None:
        """Reads the first numbers of a text; inverse of `write` up to half a bin. None where there are too few."""
        found = self.read_scaled(text)
        return None if found is None else np.array(self.low) + found * np.subtract(self.high, self.low)

    def read_scaled(self, text: str) -> Float[np.ndarray, "k"] | None:
        """Reads them as parts of their ranges; inverse of `write` and `scaled` up to half a bin."""
        found = text_to_values(text, len(self.low)).values
        return to_middle(found[0]) if len(found) else None


PLACE = Command((WORLD[0], WORLD[0], TURN[0]), (WORLD[1], WORLD[1], TURN[1]))
"""Where an agent stands: x and z in metres, up to 50 m off, and its heading in radians."""


def turned(values: Sequence[float], state: Command) -> list[float]:
    """A state whose heading lies within one turn, as a place has it."""
    *place, heading = np.asarray(values, np.float64).tolist()
    return [*place, heading % (2 * np.pi) if state is PLACE else heading]


def numbers_off(predicted: Float[np.ndarray, "k"] | None, truth: Sequence[float]) -> float:
    """Returns the mean distance of numbers in [0, 1]; 1 where there are none, or not as many."""
    if predicted is None or len(predicted) != len(truth):
        return 1.0
    return float(np.abs(np.clip(predicted, 0.0, 1.0) - np.asarray(truth)).mean())


NUMBERS = Mean("action_l1", best=0.0, worst=1.0, each=numbers_off)
