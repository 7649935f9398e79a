"""A job that trains one tokenizer on arrays in memory, by the common loop."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax

from unified_io import checkpoint
from unified_io.checkpoint import Checkpoints
from unified_io.errors import ConfigError
from unified_io.tokenizers.adversary import Adversary
from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.train import optimizer as optimizers
from unified_io.train.codebook import Codebook
from unified_io.train.loop import fit
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.telemetry import Telemetry
from unified_io.train.tokenizer import init_tokenizer_state, make_tokenizer_step

PARAMS_FOLDER = "params"


@dataclasses.dataclass(frozen=True)
class TokenizerJob:
    """How a tokenizer is trained.

    Attributes:
      total_steps: Steps in all.
      batch_size: Pictures or spectrograms a step.
      optimizer: Optimizer and schedule, which ends with the last step.
      objective: Weights of the losses.
      codebook: How dead codes come back to life, and whether entries are means.
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
    objective: TokenizerObjective = TokenizerObjective()
    codebook: Codebook = Codebook()
    adversary: Adversary | None = None
    judge_optimizer: OptimizerConfig = OptimizerConfig()
    ema_decay: float | None = None
    seed: int = 0
    report_period: int = 50
    checkpoint_period: int = 200
    watchdog_s: float | None = 600.0

    def train(self, tokenizer: nn.Module, media: np.ndarray, folder: str | Path) -> Path:
        """Trains to the end, or goes on; leaves the parameters in `folder/params`.

        Args:
          tokenizer: The tokenizer.
          media: All training arrays, normalised: float32 [N, ...].
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
                f"there is no trained tokenizer in {result}, and it is trained by one process; this is one of "
                f"{jax.process_count()}. Start the same command as one process until the tokenizer is there"
            )
        name = Path(folder).name
        shapes = jax.eval_shape(lambda: nn.unbox(tokenizer.init(jax.random.key(0), media[:1])["params"]))
        optimizer = optimizers.build(self.optimizer.over(self.total_steps), shapes)
        first = next(self._batches(media, 0))
        shared = {
            "codebook": self.codebook,
            "adversary": self.adversary,
            "judge_optimizer": self._judge_optimizer(media[:1]),
            "ema_decay": self.ema_decay,
            "seed": self.seed,
        }
        state = init_tokenizer_state(tokenizer, optimizer, first, **shared)
        step = make_tokenizer_step(tokenizer, optimizer, objective=self.objective, **shared)
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
        checkpoint.save_params(result, jax.device_get(state.extra.get("ema", state.params)))
        return result

    def _judge_optimizer(self, media: np.ndarray) -> optax.GradientTransformation | None:
        if self.adversary is None:
            return None
        judge = self.adversary.discriminator.build()
        shapes = jax.eval_shape(lambda: judge.init(jax.random.key(0), media)["params"])
        return optimizers.build(self.judge_optimizer.over(self.total_steps), shapes)

    def _batches(self, media: np.ndarray, start_step: int) -> Iterator[dict[str, Any]]:
        """Batches drawn at random; the batch of a step depends on the seed and the step alone."""
        step = start_step
        while True:
            rng = np.random.default_rng((self.seed, step))
            yield {
                "media": media[rng.choice(len(media), self.batch_size, replace=len(media) < self.batch_size)]
            }
            step += 1
