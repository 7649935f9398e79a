"""Chances: numbers that say how often something is chosen, checked and drawn from."""

from collections.abc import Iterable, Mapping

import numpy as np

from unified_io.errors import ConfigError, unknown


def check_weights(kind: str, weights: Mapping[str, float], valid: Iterable[str]) -> None:
    """Checks the weights of a choice; they need not add up to 1.

    Args:
      kind: What is chosen, as an error names it.
      weights: How often each is chosen, compared with the others.
      valid: Everything there is to choose from.

    Raises:
      ConfigError: A name is unknown, a weight is negative or no number, or all are 0.
    """
    for name, weight in weights.items():
        if name not in (names := tuple(valid)):
            raise unknown(kind, name, names)
        if not 0 <= weight < np.inf:
            raise ConfigError(f"the weight of {kind} {name!r} is {weight}; give 0 or more")
    if not sum(weights.values()) > 0:
        raise ConfigError(f"the weights of every {kind} are 0: {dict(weights)}; raise one")


def check_part(kind: str, value: float) -> None:
    """Raises a ConfigError unless a probability or a part of something is from 0 to 1."""
    if not 0 <= value <= 1:
        raise ConfigError(f"{kind} is {value}; give a number from 0 to 1")


def draw(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    """Draws a name by its weight; the weights are not all 0."""
    chances = np.fromiter(weights.values(), float)
    return list(weights)[rng.choice(len(chances), p=chances / chances.sum())]
