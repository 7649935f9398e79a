"""One step of a network and of who judges what it makes, as one compiled function. Knows losses, no network.

The maker moves against the judge as it was, then the judge learns from what was just made: one pass through the maker.
Without an adversary it is a plain step.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from unified_io.tokenizers.adversary import Adversary, Judge
from unified_io.train import guard
from unified_io.train.optimizer import global_norm
from unified_io.train.state import TrainState

Batch = Mapping[str, Array]
Metrics = dict[str, Float[Array, ""]]
Upkeep = Callable[[TrainState, Any, Bool[Array, ""]], tuple[Any, Mapping[str, Array], Metrics]]


@dataclasses.dataclass(frozen=True)
class Making:
    """What a network makes, and how good that is.

    Attributes:
      reads: Entry of a batch that the network is given.
      real: Entry that is what it should make.
      of: What the network returns -> the media in it.
      loss: (media made, what the network returned, batch) -> the loss, but for the adversary, and metrics.
    """

    reads: str
    real: str
    of: Callable[[Any], Array]
    loss: Callable[[Array, Any, Batch], tuple[Float[Array, ""], Metrics]]


def init_gan_state(
    network: nn.Module,
    optimizer: optax.GradientTransformation,
    batch: Batch,
    making: Making,
    *,
    adversary: Adversary | None = None,
    judge_optimizer: optax.GradientTransformation | None = None,
    ema_decay: float | None = None,
    kept: Callable[[Any], Mapping[str, Array]] = lambda params: {},
    seed: int,
) -> TrainState:
    """Returns the state before the first step.

    Args:
      network: The maker.
      optimizer: The maker's.
      batch: A batch, or shapes like one.
      making: As for the step.
      adversary: Likewise.
      judge_optimizer: Likewise.
      ema_decay: Likewise.
      kept: Parameters -> what the upkeep wants in `extra`.
      seed: Of the weights.
    """

    # It runs once: optimising its code would take longer than everything else about it.
    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    def init(inputs: Array, real: Array) -> TrainState:
        key = jax.random.key(seed)
        params = nn.unbox(network.init(key, inputs)["params"])
        extra = dict(kept(params))
        if adversary is not None:
            judge = adversary.discriminator.build().init(jax.random.fold_in(key, 1), real)["params"]
            extra |= {"judge": judge, "judge_opt_state": judge_optimizer.init(judge)}
        if ema_decay is not None:
            # One array each: a donated buffer must not be used twice.
            extra["ema"] = jax.tree.map(jnp.copy, params)
        return TrainState.create(params, optimizer, extra)

    return init(*(jnp.zeros(batch[key].shape, batch[key].dtype) for key in (making.reads, making.real)))


def make_gan_step(
    network: nn.Module,
    optimizer: optax.GradientTransformation,
    making: Making,
    *,
    adversary: Adversary | None = None,
    judge_optimizer: optax.GradientTransformation | None = None,
    ema_decay: float | None = None,
    upkeep: Upkeep | None = None,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns `step(state, batch) -> (state, metrics)`, compiled once; the given state is used up.

    Of the state, `params` and `opt_state` are the maker's; `extra` has `judge` and `judge_opt_state` where there is an
    adversary, and `ema` where there is a decay.

    Args:
      network: The maker.
      optimizer: The maker's.
      making: What it makes.
      adversary: Tells what is made from what is real; None for nobody.
      judge_optimizer: The adversary's.
      ema_decay: What is left of the running mean of the maker's parameters after a step; None keeps no mean.
      upkeep: What else is done to the maker's parameters behind its update, given the state with them, what the network
        returned, and whether the update was made: returns them, entries of `extra`, and metrics.
    """
    update = optax.with_extra_args_support(optimizer).update
    judge_update = judge_optimizer and optax.with_extra_args_support(judge_optimizer).update
    discriminator = adversary and adversary.discriminator.build()

    def judge_with(params: Any) -> Judge:
        return lambda media: discriminator.apply({"params": params}, media)

    def maker_loss(params: Any, judge: Any, batch: Batch, step: Array) -> Any:
        out = network.apply({"params": params}, batch[making.reads])
        made = making.of(out)
        loss, metrics = making.loss(made, out, batch)
        if adversary is not None:
            others = lambda media: making.loss(media, out, batch)[0]  # noqa: E731
            added, seen = adversary.to_pass(judge_with(judge), made, batch[making.real], others, step)
            loss, metrics = loss + added, {**metrics, **seen}
        return loss, (out, {**metrics, "loss": loss, "examples": jnp.float32(len(made))})

    def judge_loss(judge: Any, batch: Batch, made: Array, step: Array) -> Any:
        return adversary.to_tell(judge_with(judge), made, batch[making.real], step)

    def judged(
        extra: Mapping[str, Any], batch: Batch, made: Array, step: Array
    ) -> tuple[dict[str, Any], Metrics]:
        judge = extra["judge"]
        (loss, metrics), grads = jax.value_and_grad(judge_loss, has_aux=True)(judge, batch, made, step)
        updates, opt_state = judge_update(grads, extra["judge_opt_state"], judge, loss=loss)
        seen = guard.report(opt_state)
        skipped = {"judge/skipped_steps": seen["skipped_steps"]} if seen else {}
        moved = {"judge": optax.apply_updates(judge, updates), "judge_opt_state": opt_state}
        return moved, {**metrics, **skipped, "judge/grad_norm": global_norm(grads)}

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        extra = dict(state.extra)
        (loss, (out, metrics)), grads = jax.value_and_grad(maker_loss, has_aux=True)(
            state.params, extra.get("judge"), batch, state.step
        )
        updates, opt_state = update(grads, state.opt_state, state.params, loss=loss)
        after = state.replace(params=optax.apply_updates(state.params, updates), opt_state=opt_state)
        metrics |= guard.report(opt_state) or {"grad_norm": global_norm(grads)}
        if upkeep is not None:
            params, kept, seen = upkeep(after, out, guard.was_made(opt_state))
            after, extra, metrics = after.replace(params=params), {**extra, **kept}, {**metrics, **seen}
        if adversary is not None:
            moved, told = judged(extra, batch, making.of(out), state.step)
            extra, metrics = {**extra, **moved}, {**metrics, **told}
        if ema_decay is not None:
            # Early on a mean over few: else the first parameters would be in it for long.
            decay = jnp.minimum(ema_decay, (state.step + 1.0) / (state.step + 10.0))
            extra["ema"] = jax.tree.map(
                lambda mean, new: decay * mean + (1 - decay) * new, extra["ema"], after.params
            )
        return after.replace(step=state.step + 1, extra=extra), metrics

    return jax.jit(step, donate_argnums=0)
