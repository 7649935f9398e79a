"""Upkeep of a codebook behind each step: dead codes come back to life, entries may be means of what they stand for.

Knows a tokenizer by its Reconstruction and by where its codebook lies.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from unified_io.errors import ConfigError
from unified_io.tokenizers.quantizer import Reconstruction, code_usage, count_codes
from unified_io.train.state import TrainState

Metrics = dict[str, Float[Array, ""]]


@dataclasses.dataclass(frozen=True)
class Codebook:
    """How a codebook is kept.

    Attributes:
      reset_every: Steps from one search for dead codes to the next.
      reset_below: A code is dead if its average usage is below this share of an even usage. It moves to where one
        of the batch's vectors lies, and counts as evenly used from then on.
      usage_decay: What is left of that average after a step.
      mean_decay: Entries are running means of the vectors they stand for, and this is what is left of one after a step;
        None leaves them to the gradient. Give the objective no `codebook_weight` beside it.

    Source: random restarts as in Jukebox (Dhariwal et al. 2020), section 3; means as in van den Oord et al. 2017,
    appendix A.1.
    """

    reset_every: int = 25
    reset_below: float = 0.05
    usage_decay: float = 0.95
    mean_decay: float | None = None

    def __post_init__(self):
        decays = (self.usage_decay, 0.0 if self.mean_decay is None else self.mean_decay)
        if self.reset_every < 1 or not all(0 <= decay < 1 for decay in decays):
            raise ConfigError(
                f"a codebook with reset_every={self.reset_every}, usage_decay={self.usage_decay} and "
                f"mean_decay={self.mean_decay}; give at least 1 step, and decays from 0 up to 1"
            )

    def start(self, size: int, code_dim: int) -> dict[str, Array]:
        """Returns what is known before the first step: nothing was used, so that step takes every entry anew."""
        usage = {"code_usage": jnp.zeros(size, jnp.float32)}
        if self.mean_decay is None:
            return usage
        return {**usage, "code_sums": jnp.zeros((size, code_dim + 1), jnp.float32)}

    def __call__(
        self, state: TrainState, out: Reconstruction, made: Bool[Array, ""], rng: Array
    ) -> tuple[Any, dict[str, Array], Metrics]:
        """Returns the parameters with their codebook kept, what is known now, and metrics.

        Args:
          state: With the parameters behind their update, and what was known before.
          out: What the tokenizer made of the batch.
          made: Whether the update was made; else nothing changes.
          rng: Draws the vectors that dead codes move to.
        """
        entries = state.params["quantize"]["embedding"]
        size = len(entries)
        even = count_codes(out.codes, size) * (size / out.codes.size)
        before = state.extra["code_usage"]
        usage = self.usage_decay * before + (1 - self.usage_decay) * even
        dead = ((usage < self.reset_below) & ((state.step + 1) % self.reset_every == 0)) | (state.step == 0)
        usage, dead = jnp.where(made, usage, before), dead & made
        drawn = _draw(rng, out.z, size)
        kept = {"code_usage": jnp.where(dead, 1.0, usage)}
        if self.mean_decay is not None:
            sums = jnp.where(made, self._sums(state.extra["code_sums"], out), state.extra["code_sums"])
            used = sums[:, -1:] > 1e-6
            entries = jnp.where(used & made, sums[:, :-1] / jnp.maximum(sums[:, -1:], 1e-6), entries)
            alone = jnp.concatenate([drawn, jnp.ones((size, 1))], axis=-1)
            kept["code_sums"] = jnp.where(dead[:, None], alone, sums)
        codebook = jnp.where(dead[:, None], drawn, entries)
        lasting = code_usage(jnp.where(usage < self.reset_below, 0.0, usage))
        metrics = {f"average_{name}": value for name, value in lasting.items()}
        metrics["codes_reset"] = dead.sum().astype(jnp.float32)
        params = {**state.params, "quantize": {**state.params["quantize"], "embedding": codebook}}
        return params, kept, metrics

    def _sums(self, before: Float[Array, "K D"], out: Reconstruction) -> Float[Array, "K D"]:
        """Running sums of the vectors of every code, and of their numbers in the last column."""
        z = jax.lax.stop_gradient(out.z).reshape(-1, out.z.shape[-1])
        counted = jnp.concatenate([z, jnp.ones((len(z), 1))], axis=-1)
        added = jnp.zeros_like(before).at[out.codes.reshape(-1)].add(counted)
        return self.mean_decay * before + (1 - self.mean_decay) * added


def _draw(rng: Array, z: Float[Array, "B L C"], count: int) -> Float[Array, "count C"]:
    """Draws `count` of the vectors, each at most once where there are enough of them."""
    vectors = jax.lax.stop_gradient(z).reshape(-1, z.shape[-1])
    return jax.random.choice(rng, vectors, (count,), replace=count > len(vectors))
