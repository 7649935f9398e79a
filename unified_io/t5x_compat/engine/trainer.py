"""T5X's trainer, as far as a user sets it."""

import dataclasses

from unified_io.train.optimizer import OptimizerConfig


@dataclasses.dataclass(frozen=True)
class LearningRate:
    """What replaces parts of the schedule of a job's optimizer; None leaves a part as it is.

    Attributes:
      factors: See `ScheduleConfig`.
      base_learning_rate: The constant factor.
      warmup_steps: Length of the warm-up.
    """

    factors: str | None = None
    base_learning_rate: float | None = None
    warmup_steps: int | None = None

    def of(self, optimizer: OptimizerConfig) -> OptimizerConfig:
        """Returns the optimizer with its schedule changed."""
        given = {
            "factors": self.factors,
            "base": self.base_learning_rate,
            "warmup_steps": self.warmup_steps,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        rate = dataclasses.replace(optimizer.learning_rate, **changes)
        return dataclasses.replace(optimizer, learning_rate=rate)


@dataclasses.dataclass(frozen=True)
class Trainer:
    """How a step is made.

    Attributes:
      num_microbatches: Parts of a batch that are computed one after the other; None is 1. Their gradients are those of
        the whole batch, where T5X adds them up.
      learning_rate_fn: What is different from the schedule of the optimizer.
    """

    num_microbatches: int | None = None
    learning_rate_fn: LearningRate = LearningRate()
