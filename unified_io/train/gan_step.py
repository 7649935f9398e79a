"""One step of two networks against each other as one compiled function. Knows losses and optimizers, no network.

The maker moves against the judge as it was, then the judge learns from what was just made: one pass through the maker.
Without a judge it is a plain step.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from unified_io.train import guard
from unified_io.train.optimizer import global_norm
from unified_io.train.state import TrainState

Metrics = dict[str, Float[Array, ""]]
Upkeep = Callable[[TrainState, Any, Array], tuple[Any, Mapping[str, Any], Metrics]]


class Making(NamedTuple):
    """What a step of the maker came to.

    Attributes:
      media: What it made, for the judge.
      rest: What else is wanted afterwards, see `make_gan_step`.
    """

    media: Array
    rest: Any = None


def make_gan_step(
    maker_loss: Callable[[Any, Any, Any, Array], tuple[Float[Array, ""], tuple[Making, Metrics]]],
    optimizer: optax.GradientTransformation,
    *,
    judge_loss: Callable[[Any, Any, Array, Array], tuple[Float[Array, ""], Metrics]] | None = None,
    judge_optimizer: optax.GradientTransformation | None = None,
    upkeep: Upkeep | None = None,
    ema_decay: float | None = None,
) -> Callable[[TrainState, Any], tuple[TrainState, Metrics]]:
    """Returns `step(state, batch) -> (state, metrics)`, compiled once; the given state is used up.

    Of the state, `params` and `opt_state` are the maker's; `extra` has `judge` and `judge_opt_state` where there is a
    judge, and `ema` where there is a decay; see `extra_state`.

    Args:
      maker_loss: `(params, judge's params, batch, step) -> (loss, (Making, metrics))`.
      optimizer: The maker's.
      judge_loss: `(judge's params, batch, media made, step) -> (loss, metrics)`; None where nobody judges.
      judge_optimizer: The judge's.
      upkeep: What else is done to the maker's parameters behind its update, given the state with them, the `rest` of
        the Making, and whether the update was made: returns them, entries of `extra`, and metrics.
      ema_decay: What is left of the running mean of the maker's parameters after a step; None keeps no mean.
    """
    update = optax.with_extra_args_support(optimizer).update
    judge_update = judge_optimizer and optax.with_extra_args_support(judge_optimizer).update

    def step(state: TrainState, batch: Any) -> tuple[TrainState, Metrics]:
        extra = dict(state.extra)
        judge = extra.get("judge")
        (loss, (making, metrics)), grads = jax.value_and_grad(maker_loss, has_aux=True)(
            state.params, judge, batch, state.step
        )
        updates, opt_state = update(grads, state.opt_state, state.params, loss=loss)
        after = state.replace(params=optax.apply_updates(state.params, updates), opt_state=opt_state)
        metrics |= guard.report(opt_state) or {"grad_norm": global_norm(grads)}
        if upkeep is not None:
            params, kept, seen = upkeep(after, making.rest, guard.was_made(opt_state))
            after, extra, metrics = after.replace(params=params), {**extra, **kept}, {**metrics, **seen}
        if judge_loss is not None:
            (loss, told), grads = jax.value_and_grad(judge_loss, has_aux=True)(
                judge, batch, making.media, state.step
            )
            updates, extra["judge_opt_state"] = judge_update(
                grads, extra["judge_opt_state"], judge, loss=loss
            )
            extra["judge"] = optax.apply_updates(judge, updates)
            seen = guard.report(extra["judge_opt_state"])
            skipped = {"judge/skipped_steps": seen["skipped_steps"]} if seen else {}
            metrics |= {**told, **skipped, "judge/grad_norm": global_norm(grads)}
        if ema_decay is not None:
            # Early on a mean over few: else the first parameters would be in it for long.
            decay = jnp.minimum(ema_decay, (state.step + 1.0) / (state.step + 10.0))
            extra["ema"] = jax.tree.map(
                lambda mean, new: decay * mean + (1 - decay) * new, extra["ema"], after.params
            )
        return after.replace(step=state.step + 1, extra=extra), metrics

    return jax.jit(step, donate_argnums=0)


def extra_state(
    params: Any,
    judge: Any = None,
    judge_optimizer: optax.GradientTransformation | None = None,
    ema_decay: float | None = None,
) -> dict[str, Any]:
    """Returns what `make_gan_step` wants in a state beside the maker's parameters and their optimizer's state."""
    extra = {} if judge is None else {"judge": judge, "judge_opt_state": judge_optimizer.init(judge)}
    # One array each: a donated buffer must not be used twice.
    return extra if ema_decay is None else {**extra, "ema": jax.tree.map(jnp.copy, params)}
