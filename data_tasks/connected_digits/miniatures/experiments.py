"""The experiments by number: what each asks, its arms, and how one arm is run with one seed."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType

from data_tasks.connected_digits.miniatures import alone, apart, few_bits, few_tokens, first_told, scarce
from data_tasks.connected_digits.miniatures.bench import Bench, Outcome


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One question and the trainings that answer it.

    Attributes:
      claim: What a paper says, and which.
      arms: What is compared.
      run: Runs one arm with one seed.
    """

    claim: str
    arms: tuple[str, ...]
    run: Callable[[Bench, str], Outcome]


EXPERIMENTS: Mapping[int, Experiment] = MappingProxyType(
    {
        1: Experiment(
            "A connector alone teaches a frozen language model to use a medium (AnyMAL, X-InstructBLIP)",
            alone.ARMS,
            alone.run,
        ),
        6: Experiment(
            "Connectors that were trained apart are understood together, better than captions (X-InstructBLIP)",
            apart.ARMS,
            apart.run,
        ),
        9: Experiment(
            "Describing first makes answers better (Lynx)",
            first_told.ARMS,
            first_told.run,
        ),
        14: Experiment(
            "The frozen language model may be held in few bits while a connector learns (AnyMAL)",
            few_bits.ARMS,
            few_bits.run,
        ),
        4: Experiment(
            "A Q-Former is better than a linear connector with much data, worse with little (X-InstructBLIP)",
            scarce.ARMS,
            scarce.run,
        ),
        2: Experiment(
            "Four soft tokens from one vector are enough (S3)",
            few_tokens.ARMS,
            few_tokens.run,
        ),
    }
)
"""In the order in which they are run: what many papers claim comes first."""
