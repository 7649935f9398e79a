"""Optimizers and learning rates by configuration. Knows parameters by name and shape only."""

import dataclasses
import difflib
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from unified_io import errors, pytree
from unified_io.train.guard import SpikeConfig, guard

_MIN_LEARNING_RATE = 1e-8


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """A learning rate as a product of named factors, T5X's way of writing it.

    Attributes:
      factors: Names joined by `*`: `constant` (the base), `linear_warmup` (from 0 to 1 over the warm-up),
        `rsqrt_decay` (one over the root of the step, flat during the warm-up), `cosine_decay` (from 1 at the
        end of the warm-up to `final_fraction` at `decay_steps`, and flat from there).
      base: The constant factor.
      warmup_steps: Length of the warm-up; 0 for none.
      decay_steps: Step at which the cosine reaches its end; read by `cosine_decay` only.
      final_fraction: What is left of the rate at the end of the cosine.
    """

    factors: str = "constant * linear_warmup * rsqrt_decay"
    base: float = 1.0
    warmup_steps: int = 5000
    decay_steps: int | None = None
    final_fraction: float = 0.0


@dataclasses.dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are treated in their own way.

    Attributes:
      pattern: A regular expression searched in a parameter's name.
      learning_rate_scale: Multiplies the learning rate.
      weight_decay: In place of the optimizer's; None keeps that. Parameters without weight decay stay without.

    Raises:
      ConfigError: A scale or a decay that is negative or not finite.
    """

    pattern: str
    learning_rate_scale: float = 1.0
    weight_decay: float | None = None

    def __post_init__(self):
        if not (0 <= self.learning_rate_scale < math.inf and 0 <= (self.weight_decay or 0.0) < math.inf):
            raise errors.ConfigError(
                f"the parameter group {self.pattern!r} has learning_rate_scale={self.learning_rate_scale} and "
                f"weight_decay={self.weight_decay}; give finite numbers from 0 on"
            )


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Which optimizer, and how it treats which parameters.

    Patterns are regular expressions searched in a parameter's name, e.g. `^image_vit/`.

    Attributes:
      name: "adamw", "adafactor" (T5X's: factored second moments, steps relative to the size of the parameter), or
        "muon" (orthogonalised momentum for matrices, AdamW for everything else).
      learning_rate: The schedule, counted in updates that were made.
      b1: Decay of the first moment; Adafactor averages its updates with it.
      b2: Decay of AdamW's second moment.
      eps: AdamW's epsilon.
      decay_exponent: Adafactor's second moment decays with 1 - t^-exponent.
      matrix_rate: Muon's learning rate of matrices, as a multiple of the schedule.
      min_dim_to_factor: Adafactor factors a parameter whose two largest axes have at least this size.
      weight_decay: AdamW multiplies it by the learning rate; Adafactor does not, as T5X.
      no_decay: Patterns of parameters without weight decay, besides all of fewer than two axes.
      clip_norm: Largest norm of the gradient over all parameters that move; None for no limit.
      trained: Patterns of the parameters that move at all; nothing means all.
      frozen: Patterns of parameters, among those, that never move. What does not move has no optimizer state.
      groups: Parameters with a learning rate or weight decay of their own; the first whose pattern matches counts.
      spikes: Which losses are so high that the step is skipped; None for none.
    """

    name: str = "adamw"
    learning_rate: ScheduleConfig = ScheduleConfig()
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    decay_exponent: float = 0.8
    matrix_rate: float = 3.0
    min_dim_to_factor: int = 128
    weight_decay: float = 0.0
    no_decay: tuple[str, ...] = ("embedding$", "(bias|scale)$")
    clip_norm: float | None = 1.0
    trained: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    groups: tuple[ParameterGroup, ...] = ()
    spikes: SpikeConfig | None = None

    def over(self, steps: int) -> "OptimizerConfig":
        """Returns it with a schedule that ends after so many steps; a short run warms up for at most a tenth of it."""
        rate = self.learning_rate
        rate = dataclasses.replace(rate, decay_steps=steps, warmup_steps=min(rate.warmup_steps, steps // 10))
        return dataclasses.replace(self, learning_rate=rate)


def schedule(config: ScheduleConfig) -> optax.Schedule:
    """Returns the learning rate as a function of the number of updates made so far.

    Raises:
      ConfigError: For an unknown factor, or a cosine without its end.

    Source: factors and the floor of 1e-8 as in the learning-rate scheduler of T5X.
    """
    warmup = max(config.warmup_steps, 1)

    def cosine(step: jax.Array) -> jax.Array:
        span = max((config.decay_steps or 0) - config.warmup_steps, 1)
        progress = jnp.clip((step - config.warmup_steps) / span, 0.0, 1.0)
        return config.final_fraction + (1 - config.final_fraction) * 0.5 * (1 + jnp.cos(jnp.pi * progress))

    known = {
        "constant": lambda step: jnp.float32(config.base),
        "linear_warmup": lambda step: jnp.minimum(1.0, step / warmup),
        "rsqrt_decay": lambda step: jax.lax.rsqrt(jnp.maximum(step, warmup)),
        "cosine_decay": cosine,
    }
    names = [name.strip() for name in config.factors.split("*")]
    for name in names:
        if name not in known:
            raise errors.unknown("learning rate factor", name, known)
    if "cosine_decay" in names and (config.decay_steps or 0) <= config.warmup_steps:
        raise errors.ConfigError(
            f"cosine_decay ends at decay_steps={config.decay_steps}, but the warm-up takes {config.warmup_steps}; "
            "set decay_steps to the number of training steps"
        )

    def rate(count: jax.Array) -> jax.Array:
        step = jnp.asarray(count, jnp.float32)
        product = jnp.float32(1.0)
        for name in names:
            product = product * known[name](step)
        return jnp.maximum(product, _MIN_LEARNING_RATE)

    return rate


def build(config: OptimizerConfig, params_shape: Any) -> optax.GradientTransformationExtraArgs:
    """Returns the optimizer for parameters of these shapes, guarded; see `guard`.

    Args:
      config: What to build.
      params_shape: The parameter tree, as arrays or shapes.

    Raises:
      ConfigError: For an unknown optimizer or factor, or a pattern of `trained`, `frozen` or `groups` that matches no
        parameter.
    """
    builders = {"adamw": _adamw, "adafactor": _adafactor, "muon": _muon}
    if config.name not in builders:
        raise errors.unknown("optimizer", config.name, builders)
    names = pytree.named_leaves(params_shape)
    for kind, pattern in [
        *(("trained", pattern) for pattern in config.trained),
        *(("frozen", pattern) for pattern in config.frozen),
        *(("group", group.pattern) for group in config.groups),
    ]:
        _check_pattern(kind, pattern, names)
    rate = schedule(config.learning_rate)
    decayed = pytree.map_named(
        lambda name, p: p.ndim > 1 and not _matches(config.no_decay, name), params_shape
    )

    def plain(group: ParameterGroup) -> optax.GradientTransformation:
        decay = config.weight_decay if group.weight_decay is None else group.weight_decay
        own = dataclasses.replace(config, weight_decay=decay)
        return builders[config.name](own, lambda step: group.learning_rate_scale * rate(step), decayed)

    rest = ParameterGroup("")
    inner = plain(rest)
    if config.groups:
        groups = {f"group_{number}": group for number, group in enumerate((*config.groups, rest))}
        inner = optax.partition(
            {label: plain(group) for label, group in groups.items()},
            pytree.map_named(
                lambda name, _: next(k for k, g in groups.items() if re.search(g.pattern, name)), params_shape
            ),
        )
    optimizer = guard(inner, rate, config.clip_norm, config.spikes)
    if not config.frozen and not config.trained:
        return optimizer
    labels = pytree.map_named(
        lambda name, _: "trained" if is_trained(config, name) else "frozen", params_shape
    )
    return optax.partition({"trained": optimizer, "frozen": optax.set_to_zero()}, labels)


def is_trained(config: OptimizerConfig, name: str) -> bool:
    """Says whether the parameter of this name moves."""
    return (not config.trained or _matches(config.trained, name)) and not _matches(config.frozen, name)


def global_norm(tree: Any) -> jax.Array:
    """Returns the root of the sum of all squares, in float32."""
    squares = [jnp.sum(jnp.square(leaf.astype(jnp.float32))) for leaf in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(squares, jnp.float32(0.0)))


def _adamw(config: OptimizerConfig, rate: optax.Schedule, decayed: Any) -> optax.GradientTransformation:
    return optax.chain(
        optax.scale_by_adam(config.b1, config.b2, config.eps),
        optax.add_decayed_weights(config.weight_decay, decayed) if config.weight_decay else optax.identity(),
        optax.scale_by_learning_rate(rate),
    )


def _muon(config: OptimizerConfig, rate: optax.Schedule, decayed: Any) -> optax.GradientTransformation:
    def matrices(params: Any) -> Any:
        def axes(name: str, leaf: Any) -> Any:
            # Before sharding a parameter lies in a box, which adds to its name.
            name = name.removesuffix("/value")
            is_matrix = leaf.ndim > 1 and not _matches(config.no_decay, name)
            return optax.contrib.MuonDimensionNumbers(leaf.ndim - 2, leaf.ndim - 1) if is_matrix else None

        return pytree.map_named(axes, params)

    return optax.contrib.muon(
        lambda step: config.matrix_rate * rate(step),
        adam_learning_rate=rate,
        adam_b1=config.b1,
        adam_b2=config.b2,
        muon_weight_dimension_numbers=matrices,
        weight_decay=config.weight_decay,
    )


def _adafactor(config: OptimizerConfig, rate: optax.Schedule, decayed: Any) -> optax.GradientTransformation:
    return optax.chain(
        optax.scale_by_factored_rms(
            decay_rate=config.decay_exponent, min_dim_size_to_factor=config.min_dim_to_factor, epsilon=1e-30
        ),
        optax.clip_by_block_rms(1.0),
        optax.scale_by_learning_rate(rate, flip_sign=False),
        optax.scale_by_param_block_rms(1e-3),
        optax.ema(config.b1, debias=False),
        optax.add_decayed_weights(config.weight_decay, decayed) if config.weight_decay else optax.identity(),
        optax.scale(-1.0),
    )


def _check_pattern(kind: str, pattern: str, names: Iterable[str]) -> None:
    try:
        if any(re.search(pattern, name) for name in names):
            return
    except re.error as error:
        raise errors.ConfigError(f"{kind} pattern {pattern!r} is no regular expression: {error}") from error
    parts = [itertools.accumulate(name.split("/"), "{}/{}".format) for name in names]
    choices = sorted({part for several in parts for part in several})
    near = difflib.get_close_matches(pattern.strip("^$/"), choices, n=3, cutoff=0.5)
    tops = ", ".join(choice for choice in choices if "/" not in choice)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"the parameters start with {tops}"
    raise errors.ConfigError(f"{kind} pattern {pattern!r} matches no parameter; {hint}")


def _matches(patterns: Sequence[str], name: str) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)
