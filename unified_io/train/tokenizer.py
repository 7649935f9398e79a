"""Training of a tokenizer by the common loop: its first state, and its step, with or without a discriminator.

Knows a tokenizer by its Reconstruction, not what it tokenizes.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from unified_io.tokenizers.adversary import Adversary
from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.train.codebook import Codebook
from unified_io.train.gan_step import Making, Metrics, extra_state, make_gan_step
from unified_io.train.state import TrainState

Batch = dict[str, Array]


def init_tokenizer_state(
    tokenizer: nn.Module,
    optimizer: optax.GradientTransformation,
    batch: Batch,
    *,
    codebook: Codebook = Codebook(),
    adversary: Adversary | None = None,
    judge_optimizer: optax.GradientTransformation | None = None,
    ema_decay: float | None = None,
    seed: int,
) -> TrainState:
    """Returns the state before the first step.

    Args:
      tokenizer: A module whose config has a `codebook_size` and whose call returns a Reconstruction.
      optimizer: What turns gradients into updates.
      batch: A batch, or shapes like one.
      codebook: As for the step.
      adversary: Likewise.
      judge_optimizer: Likewise.
      ema_decay: Likewise.
      seed: Of the weights.
    """

    # It runs once: optimising its code would take longer than everything else about it.
    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def init(media: Array) -> TrainState:
        key = jax.random.key(seed)
        params = nn.unbox(tokenizer.init(key, media)["params"])
        judge = (
            adversary and adversary.discriminator.build().init(jax.random.fold_in(key, 1), media)["params"]
        )
        entries = params["quantize"]["embedding"]
        extra = codebook.start(*entries.shape) | extra_state(params, judge, judge_optimizer, ema_decay)
        return TrainState.create(params, optimizer, extra)

    return init(jnp.zeros(batch["media"].shape, batch["media"].dtype))


def make_tokenizer_step(
    tokenizer: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    objective: TokenizerObjective = TokenizerObjective(),
    codebook: Codebook = Codebook(),
    adversary: Adversary | None = None,
    judge_optimizer: optax.GradientTransformation | None = None,
    ema_decay: float | None = None,
    seed: int,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns `step(state, batch) -> (state, metrics)`, compiled once; the given state is used up.

    A batch holds `media`: images [B, h, w, 3] in [-1, 1] or normalised spectrograms [B, frames, mels, 1].

    Args:
      tokenizer: A module whose config has a `codebook_size` and whose call returns a Reconstruction.
      optimizer: What turns gradients into updates.
      objective: The loss, but for the adversary.
      codebook: How the codebook is kept.
      adversary: Tells what is made from what is real; None for nobody.
      judge_optimizer: The adversary's.
      ema_decay: Of the running mean of the parameters, see `make_gan_step`; None keeps none.
      seed: Together with the step it determines what is drawn, so a resumed run repeats it.
    """
    size = tokenizer.config.codebook_size
    judge = adversary and adversary.discriminator.build()

    def told(judge_params: Any) -> Callable[[Array], Any]:
        return lambda media: judge.apply({"params": judge_params}, media)

    def maker_loss(params: Any, judge_params: Any, batch: Batch, step: Array) -> Any:
        media = batch["media"]
        out = tokenizer.apply({"params": params}, media)
        loss, metrics = objective(out, media, size)
        if adversary is not None:

            def others(made: Array) -> Float[Array, ""]:
                return objective(out._replace(media=made), media, size)[0]

            added, seen = adversary.to_pass(told(judge_params), out.media, media, others, step)
            loss, metrics = loss + added, metrics | seen
        return loss, (Making(out.media, out), metrics)

    def judge_loss(judge_params: Any, batch: Batch, made: Array, step: Array) -> Any:
        return adversary.to_tell(told(judge_params), made, batch["media"], step)

    def upkeep(state: TrainState, out: Any, made: Array) -> Any:
        params, kept, metrics = codebook(
            state, out, made, jax.random.fold_in(jax.random.key(seed), state.step)
        )
        return params, kept, metrics | {"examples": jnp.float32(len(out.media))}

    return make_gan_step(
        maker_loss,
        optimizer,
        judge_loss=judge_loss if adversary else None,
        judge_optimizer=judge_optimizer,
        upkeep=upkeep,
        ema_decay=ema_decay,
    )
