"""A job that trains one network on media in memory by the common loop, with a discriminator beside it or without."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax

from unified_io import checkpoint
from unified_io.checkpoint import PARAMS_FOLDER, Checkpoints
from unified_io.errors import ConfigError
from unified_io.tokenizers.adversary import Adversary
from unified_io.train import optimizer as optimizers
from unified_io.train.loop import fit
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.state import TrainState
from unified_io.train.telemetry import Telemetry


@dataclasses.dataclass(frozen=True)
class MediaJob:
    """How a network is trained.

    Attributes:
      total_steps: Steps in all.
      batch_size: Media a step.
      optimizer: Optimizer and schedule, which ends with the last step.
      adversary: A discriminator that learns beside it; None for none.
      judge_optimizer: The discriminator's optimizer and schedule, which ends likewise.
      ema_decay: What is left of the running mean of the parameters after a step; the mean is the result. None: none.
      seed: Seeds parameters and the order of the data.
      report_period: Steps between reports.
      checkpoint_period: Steps between checkpoints.
      watchdog_s: Seconds after which it gives up if no step is made; None waits for ever.
    """

    total_steps: int
    batch_size: int = 64
    optimizer: OptimizerConfig = OptimizerConfig()
    adversary: Adversary | None = None
    judge_optimizer: OptimizerConfig = OptimizerConfig()
    ema_decay: float | None = None
    seed: int = 0
    report_period: int = 50
    checkpoint_period: int = 200
    watchdog_s: float | None = 600.0

    def train(self, network: nn.Module, media: Any, folder: str | Path) -> Path:
        """Trains to the end, or goes on; leaves the parameters in `folder/params`.

        Args:
          network: The network.
          media: All training arrays, one entry a medium.
          folder: Holds checkpoints, metrics and the result.

        Returns:
          The folder of the parameters.

        Raises:
          ConfigError: It is still to be trained, and this is one of several processes.
        """
        result = Path(folder, PARAMS_FOLDER)
        if result.is_dir():
            return result
        if jax.process_count() > 1:
            raise ConfigError(
                f"there is nothing trained in {result}, and it is trained by one process; this is one of "
                f"{jax.process_count()}. Start the same command as one process until it is there"
            )
        name = Path(folder).name
        first = next(self._batches(media, 0))
        state, step = self._start(network, first)
        with (
            Checkpoints(folder) as checkpoints,
            Telemetry(folder, name, self.total_steps) as telemetry,
        ):
            state = fit(
                state,
                step,
                lambda start: self._batches(media, start),
                total_steps=self.total_steps,
                checkpoints=checkpoints,
                checkpoint_period=self.checkpoint_period,
                telemetry=telemetry,
                report_period=self.report_period,
                watchdog_s=self.watchdog_s,
            )
        checkpoint.save_params(result, jax.device_get(self._result(state)))
        return result

    def _start(self, network: nn.Module, batch: dict[str, Any]) -> tuple[TrainState, Any]:
        """Returns the state before the first step, and the step."""
        raise NotImplementedError

    def _result(self, state: TrainState) -> Any:
        """The parameters to keep of the last state."""
        return state.extra.get("ema", state.params)

    def _batches(self, media: Any, start_step: int) -> Iterator[dict[str, Any]]:
        """Batches drawn at random; the batch of a step depends on the seed and the step alone."""
        raise NotImplementedError

    def _drawn(self, count: int, step: int) -> tuple[np.ndarray, np.random.Generator]:
        """Which of `count` media a step sees, and a generator for what else is drawn for it."""
        rng = np.random.default_rng((self.seed, step))
        return rng.choice(count, self.batch_size, replace=count < self.batch_size), rng

    def _optimizer(self, network: nn.Module, *inputs: Any) -> optax.GradientTransformation:
        return optimizers.build(self.optimizer.over(self.total_steps), _shapes(network, *inputs))

    def _beside(self, judged: Any) -> dict[str, Any]:
        """What a step is told of the discriminator, which judges media like these, and of the mean."""
        judge_optimizer = None
        if self.adversary is not None:
            shapes = _shapes(self.adversary.discriminator.build(), judged)
            judge_optimizer = optimizers.build(self.judge_optimizer.over(self.total_steps), shapes)
        return {
            "adversary": self.adversary,
            "judge_optimizer": judge_optimizer,
            "ema_decay": self.ema_decay,
        }


def _shapes(network: nn.Module, *inputs: Any) -> Any:
    return jax.eval_shape(lambda: nn.unbox(network.init(jax.random.key(0), *inputs)["params"]))
