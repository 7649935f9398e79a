"""Training of a tokenizer by the common loop: its first state, and its step, which re-seeds dead codes.

Knows a tokenizer by its Reconstruction and by where its codebook lies, not what it tokenizes.
"""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.tokenizers.quantizer import Reconstruction, code_usage, count_codes
from unified_io.train import guard
from unified_io.train.optimizer import global_norm
from unified_io.train.state import TrainState

Batch = dict[str, Array]
Metrics = dict[str, Float[Array, ""]]


def init_tokenizer_state(
    tokenizer: nn.Module, optimizer: optax.GradientTransformation, batch: Batch, *, seed: int
) -> TrainState:
    """Returns the state before the first step.

    No code has been used yet, so the first step takes its whole codebook from the encoder's outputs.

    Args:
      tokenizer: A module whose config has a `codebook_size` and whose call returns a Reconstruction.
      optimizer: What turns gradients into updates.
      batch: A batch, or shapes like one.
      seed: Of the weights.
    """

    # It runs once: optimising its code would take longer than everything else about it.
    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def init(media: Array) -> TrainState:
        params = nn.unbox(tokenizer.init(jax.random.key(seed), media)["params"])
        usage = jnp.zeros(tokenizer.config.codebook_size, jnp.float32)
        return TrainState.create(params, optimizer, {"code_usage": usage})

    return init(jnp.zeros(batch["media"].shape, batch["media"].dtype))


def make_tokenizer_step(
    tokenizer: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    objective: TokenizerObjective = TokenizerObjective(),
    reset_every: int = 25,
    reset_below: float = 0.05,
    usage_decay: float = 0.95,
    seed: int,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns `step(state, batch) -> (state, metrics)`, compiled once; the given state is used up.

    A batch holds `media`: images [B, h, w, 3] in [-1, 1] or normalised spectrograms [B, frames, mels, 1].

    Args:
      tokenizer: A module whose config has a `codebook_size` and whose call returns a Reconstruction.
      optimizer: What turns gradients into updates.
      objective: The loss.
      reset_every: Steps from one search for dead codes to the next.
      reset_below: A code is dead if its average usage is below this share of an even usage. It moves to where one
        of the batch's vectors lies, and counts as evenly used from then on.
      usage_decay: What is left of that average after a step.
      seed: Together with the step it determines the vectors drawn, so a resumed run repeats them.

    Source: random restarts as in Jukebox (Dhariwal et al. 2020), section 3.
    """
    size = tokenizer.config.codebook_size
    update = optax.with_extra_args_support(optimizer).update

    def loss_fn(params: Any, media: Array) -> tuple[Float[Array, ""], tuple[Reconstruction, Metrics]]:
        out = tokenizer.apply({"params": params}, media)
        loss, metrics = objective(out, media, size)
        return loss, (out, metrics)

    def survey(state: TrainState, out: Reconstruction) -> tuple[Float[Array, "K"], Bool[Array, "K"]]:
        even = count_codes(out.codes, size) * (size / out.codes.size)
        usage = usage_decay * state.extra["code_usage"] + (1 - usage_decay) * even
        unused = (usage < reset_below) & ((state.step + 1) % reset_every == 0)
        return usage, (unused | (state.step == 0))

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        (loss, (out, metrics)), grads = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params, batch["media"]
        )
        updates, opt_state = update(grads, state.opt_state, state.params, loss=loss)
        params = optax.apply_updates(state.params, updates)
        made = guard.was_made(opt_state)

        rng = jax.random.fold_in(jax.random.key(seed), state.step)
        usage, dead = survey(state, out)
        usage, dead = jnp.where(made, usage, state.extra["code_usage"]), dead & made
        codebook = jnp.where(dead[:, None], _draw(rng, out.z, size), _codebook(params))
        lasting = code_usage(jnp.where(usage < reset_below, 0.0, usage))
        metrics |= {f"average_{name}": value for name, value in lasting.items()}
        metrics |= {
            "codes_reset": dead.sum().astype(jnp.float32),
            "examples": jnp.float32(len(batch["media"])),
        }
        metrics |= guard.report(opt_state) or {"grad_norm": global_norm(grads)}
        state = state.replace(
            step=state.step + 1,
            params=_with_codebook(params, codebook),
            opt_state=opt_state,
            extra={"code_usage": jnp.where(dead, 1.0, usage)},
        )
        return state, metrics

    return jax.jit(step, donate_argnums=0)


def _codebook(params: Any) -> Float[Array, "K C"]:
    return params["quantize"]["embedding"]


def _with_codebook(params: Any, codebook: Float[Array, "K C"]) -> Any:
    return {**params, "quantize": {**params["quantize"], "embedding": codebook}}


def _draw(rng: Array, z: Float[Array, "B L C"], count: int) -> Float[Array, "count C"]:
    """Draws `count` of the vectors, each at most once where there are enough of them."""
    vectors = jax.lax.stop_gradient(z).reshape(-1, z.shape[-1])
    return jax.random.choice(rng, vectors, (count,), replace=count > len(vectors))
