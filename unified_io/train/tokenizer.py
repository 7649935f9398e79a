"""Training of a tokenizer by the common loop: its first state, and its step, with or without a discriminator.

Knows a tokenizer by its Reconstruction, not what it tokenizes.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import optax
from jaxtyping import Array, Bool

from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.tokenizers.quantizer import Reconstruction
from unified_io.train.codebook import Codebook
from unified_io.train.gan_step import Batch, Making, Metrics, init_gan_state, make_gan_step
from unified_io.train.perceptual import Likeness
from unified_io.train.state import TrainState


def init_tokenizer_state(
    tokenizer: nn.Module,
    optimizer: optax.GradientTransformation,
    batch: Batch,
    *,
    codebook: Codebook = Codebook(),
    **beside: Any,
) -> TrainState:
    """Returns the state before the first step.

    Args:
      tokenizer: A module whose config has a `codebook_size` and whose call returns a Reconstruction.
      optimizer: What turns gradients into updates.
      batch: A batch, or shapes like one.
      codebook: As for the step.
      beside: `seed`, `adversary`, `judge_optimizer` and `ema_decay`, as in `init_gan_state`.
    """

    def kept(params: Any) -> dict[str, Array]:
        return codebook.start(*params["quantize"]["embedding"].shape)

    making = _making(tokenizer, TokenizerObjective())
    return init_gan_state(tokenizer, optimizer, batch, making, kept=kept, **beside)


def make_tokenizer_step(
    tokenizer: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    objective: TokenizerObjective = TokenizerObjective(),
    codebook: Codebook = Codebook(),
    likeness: Likeness | None = None,
    seed: int,
    **beside: Any,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns `step(state, batch) -> (state, metrics)`, compiled once; the given state is used up.

    A batch holds `media`: images [B, h, w, 3] in [-1, 1] or normalised spectrograms [B, frames, mels, 1].

    Args:
      tokenizer: A module whose config has a `codebook_size` and whose call returns a Reconstruction.
      optimizer: What turns gradients into updates.
      objective: The loss, but for the adversary.
      codebook: How the codebook is kept.
      likeness: How far apart two media look; counts by the objective's `perceptual_weight`.
      seed: Together with the step it determines what is drawn, so a resumed run repeats it.
      beside: `adversary`, `judge_optimizer` and `ema_decay`, as in `make_gan_step`.
    """

    def upkeep(state: TrainState, out: Reconstruction, made: Bool[Array, ""]) -> Any:
        return codebook(state, out, made, jax.random.fold_in(jax.random.key(seed), state.step))

    return make_gan_step(
        tokenizer, optimizer, _making(tokenizer, objective, likeness), upkeep=upkeep, **beside
    )


def _making(tokenizer: nn.Module, objective: TokenizerObjective, likeness: Likeness | None = None) -> Making:
    def loss(made: Array, out: Reconstruction, batch: Batch) -> Any:
        real = batch["media"]
        loss, metrics = objective(out._replace(media=made), real, tokenizer.config.codebook_size)
        if likeness is None:
            return loss, metrics
        apart = likeness(made, real)
        return loss + objective.perceptual_weight * apart, {**metrics, "perceptual": apart}

    return Making("media", "media", lambda out: out.media, loss)
