"""Training of a tokenizer by the common loop: its first state, and its step with dead codes brought back to life."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.tokenizers.quantizer import code_usage, count_codes
from unified_io.train.state import TrainState

Batch = dict[str, Array]


def init_tokenizer_state(
    tokenizer: nn.Module, optimizer: optax.GradientTransformation, batch: Batch, *, seed: int = 0
) -> TrainState:
    """Returns the state before the first step, with a codebook of encoder outputs of `batch`."""

    @jax.jit
    def init(media: Array) -> TrainState:
        weights, choice = jax.random.split(jax.random.key(seed))
        params = nn.unbox(tokenizer.init(weights, media)["params"])
        z = tokenizer.apply({"params": params}, media).z
        params = _with_codebook(params, _draw(choice, z, len(_codebook(params))))
        usage = jnp.ones(len(_codebook(params)))
        return TrainState.create(params, optimizer, {"code_usage": usage})

    return init(batch["media"])


def make_tokenizer_step(
    tokenizer: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    objective: TokenizerObjective = TokenizerObjective(),
    reset_every: int = 25,
    reset_below: float = 0.05,
    usage_decay: float = 0.95,
    seed: int = 0,
) -> Callable[[TrainState, Batch], tuple[TrainState, dict[str, Float[Array, ""]]]]:
    """Returns `step(state, batch) -> (state, metrics)`, compiled once; the given state is used up.
    """
    size = tokenizer.config.codebook_size

    def loss_fn(params: Any, media: Array):
        out = tokenizer.apply({"params": params}, media)
        loss, metrics = objective(out, media, size)
        return loss, (out, metrics)

    def step(state: TrainState, batch: Batch):
        media = batch["media"]
        (_, (out, metrics)), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params, media)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        counts = count_codes(out.codes, size)
        usage = usage_decay * state.extra["code_usage"] + (1 - usage_decay) * size * counts / counts.sum()
        dead = (usage < reset_below) & ((state.step + 1) % reset_every == 0)
        rng = jax.random.fold_in(jax.random.key(seed), state.step)
        codebook = jnp.where(dead[:, None], _draw(rng, out.z, size), _codebook(params))
        state = state.replace(
            step=state.step + 1,
            params=_with_codebook(params, codebook),
            opt_state=opt_state,
            extra={"code_usage": jnp.where(dead, 1.0, usage)},
        )
        average = code_usage(usage * (usage >= reset_below))
        metrics |= {"codes_reset": dead.sum().astype(jnp.float32), "average_perplexity": average["perplexity"], "average_usage": average["usage"]}
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
