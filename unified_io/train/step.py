"""One step of training or evaluation as one compiled function. Knows a loss function and an optimizer, no model."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from unified_io import pytree
from unified_io.loss import is_maximum
from unified_io.train import guard
from unified_io.train.optimizer import global_norm
from unified_io.train.state import TrainState

Metrics = dict[str, Float[Array, ""]]
LossFn = Callable[[Any, Any, Array], tuple[Float[Array, ""], Metrics]]


def make_train_step(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    *,
    seed: int,
    split: Callable[[Any], Any] | None = None,
    frozen: Any = None,
) -> Callable[[TrainState, Any], tuple[TrainState, Metrics]]:
    """Returns `step(state, batch) -> (state, metrics)`, compiled once; the given state is used up.

    Args:
      loss_fn: `(params, batch, rng) -> (loss, metrics)`; the metrics are float32 scalars.
      optimizer: What turns gradients into updates.
      seed: Together with the step it determines the random numbers, so a resumed run repeats them.
      split: Cuts a batch into parts, stacked along a new first axis, that are computed one after the other to save
        memory. Losses and metrics of the parts must add up to those of the batch, but for a `…_max`: see `in_parts`.
      frozen: Parameters beside those of the state, which the loss is given with them; no gradient is taken of them.

    The metrics are those of `loss_fn` with `loss`, `param_norm` (before the update) and `grad_norm`; and what a
    guarded optimizer reports, see `guard.report`.
    """

    update = optax.with_extra_args_support(optimizer).update

    def step(state: TrainState, batch: Any, frozen: Any) -> tuple[TrainState, Metrics]:
        def loss_of_all(params: Any, batch: Any, rng: Array) -> tuple[Float[Array, ""], Metrics]:
            return loss_fn(params if frozen is None else pytree.together(params, frozen), batch, rng)

        compute = jax.value_and_grad(loss_of_all, has_aux=True)
        rng = jax.random.fold_in(jax.random.key(seed), state.step)
        (loss, metrics), grads = (
            compute(state.params, batch, rng)
            if split is None
            else _added_up(compute, state.params, split(batch), rng)
        )
        updates, opt_state = update(grads, state.opt_state, state.params, loss=loss)
        params = optax.apply_updates(state.params, updates)
        reported = guard.report(opt_state) or {"grad_norm": global_norm(grads)}
        reported |= {guard.BAD_PARAMETER: guard.first_bad(jax.tree.leaves(state.params))}
        metrics = {**metrics, "loss": loss, "param_norm": global_norm(state.params), **reported}
        return state.replace(step=state.step + 1, params=params, opt_state=opt_state), _scalars(metrics)

    compiled = None

    def train_step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        nonlocal compiled
        if compiled is None:
            compiled = jax.jit(step, donate_argnums=0, out_shardings=(_placement(state), None))
        return compiled(state, batch, frozen)

    return train_step


def in_parts(batch: Any, parts: int) -> Any:
    """Cuts the first axis of every array, groups of rows, into parts: [G, ...] becomes [parts, G / parts, ...].

    Every device keeps its groups, for it has consecutive ones and gives one to each part in turn.
    """
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf.reshape(-1, parts, *leaf.shape[1:]), 1, 0), batch)


def _added_up(compute: Callable[..., Any], params: Any, parts: Any, rng: Array) -> Any:
    """Adds up losses, metrics and gradients of the parts of a batch; of a maximum it takes the largest."""

    def of_part(number: Array, part: Any) -> Any:
        return compute(params, part, jax.random.fold_in(rng, number))

    def add(total: Any, numbered: tuple[Array, Any]) -> tuple[Any, None]:
        part = of_part(*numbered)
        ((_, before), _), ((_, metrics), _) = total, part
        largest = {
            name: jnp.maximum(before[name], value) for name, value in metrics.items() if is_maximum(name)
        }
        (loss, added), grads = jax.tree.map(jnp.add, total, part)
        return ((loss, {**added, **largest}), grads), None

    numbered = (jnp.arange(len(jax.tree.leaves(parts)[0])), parts)
    first = jax.tree.map(lambda leaf: leaf[0], numbered)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(of_part, *first))
    (loss, metrics), grads = zeros
    metrics = {name: value - jnp.inf if is_maximum(name) else value for name, value in metrics.items()}
    return jax.lax.scan(add, ((loss, metrics), grads), numbered)[0]


def make_eval_step(loss_fn: LossFn, *, seed: int = 0) -> Callable[[Any, Any], Metrics]:
    """Returns `step(params, batch) -> metrics`, compiled once; every batch sees the same random numbers."""

    def step(params: Any, batch: Any) -> Metrics:
        loss, metrics = loss_fn(params, batch, jax.random.key(seed))
        return _scalars({**metrics, "loss": loss})

    return jax.jit(step)


def _placement(state: TrainState) -> Any:
    """Where a state on a mesh lies. The next state must lie there too, or the second step is compiled anew."""
    placed = jax.tree.map(lambda leaf: leaf.sharding, state)
    return placed if any(isinstance(s, NamedSharding) for s in jax.tree.leaves(placed)) else None


def _scalars(metrics: Metrics) -> Metrics:
    for name, value in metrics.items():
        if jnp.shape(value):
            raise ValueError(f"metric {name!r} has shape {jnp.shape(value)}; a loss function returns scalars")
    return {name: jnp.asarray(value, jnp.float32) for name, value in metrics.items()}
