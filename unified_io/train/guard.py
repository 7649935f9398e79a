"""Steps that must not be made: found, skipped to the bit, counted by cause, and blamed on something with a name."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from unified_io import pytree
from unified_io.errors import ConfigError

# In the order in which they are looked for; the first that is found is counted.
CAUSES = ("loss_not_finite", "gradient_not_finite", "update_not_finite", "loss_spike")
# Metrics that tell about one step alone, so that no mean over several can be taken. The bad ones are numbers of the
# first leaf that is not finite, among those that the guard looks at and among all parameters; -1 is none.
IN_A_ROW, BAD_UPDATE, BAD_PARAMETER = OF_A_STEP = ("skipped_in_a_row", "bad_update", "bad_parameter")


@dataclasses.dataclass(frozen=True)
class SpikeConfig:
    """What is a spike of the loss.

    Attributes:
      sigmas: So many standard deviations above the mean of the window.
      window: Losses in the window: those of the steps made last. Nothing is a spike before there are so many.

    Raises:
      ConfigError: No window to speak of, or a limit below the mean.
    """

    sigmas: float = 6.0
    window: int = 128

    def __post_init__(self):
        if self.window < 2 or not self.sigmas > 0:
            raise ConfigError(
                f"spikes are looked for with window={self.window} and sigmas={self.sigmas}; "
                "give a window of at least 2 losses, and more than 0 standard deviations"
            )


@flax.struct.dataclass
class GuardState:
    """State of `guard`.

    Attributes:
      inner: State of the guarded optimizer.
      count: Updates made.
      skipped: Updates skipped, by cause.
      in_a_row: Updates skipped since the last one that was made.
      losses: One array, the losses of the updates made last, update n at n modulo their number; none where nothing is
        a spike.
      grad_norm: Norm of the last gradient, before it was clipped.
      part_norms: The same of every top-level part of the parameters.
      learning_rate: Of the last update.
      bad_update: Number of the first parameter whose last gradient, or else update, was not finite; -1 is none.
      names: Of the parameters.
    """

    inner: Any
    count: Int[Array, ""]
    skipped: dict[str, Int[Array, ""]]
    in_a_row: Int[Array, ""]
    losses: tuple[Float[Array, " window"], ...]
    grad_norm: Float[Array, ""]
    part_norms: dict[str, Float[Array, ""]]
    learning_rate: Float[Array, ""]
    bad_update: Int[Array, ""]
    names: tuple[str, ...] = flax.struct.field(pytree_node=False)


def guard(
    inner: optax.GradientTransformation,
    rate: optax.Schedule,
    clip_norm: float | None,
    spikes: SpikeConfig | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Clips the gradient by its global norm, and skips an update that would do harm.

    Harm is a loss, a gradient or an update that is not finite, and a loss that is a spike; of the loss it knows only
    if `update` is given one: `update(grads, state, params, loss=…)`. A skipped update moves no parameter and leaves
    the inner state as it was, to the bit; it is counted by its cause.

    Args:
      inner: What to guard.
      rate: The learning rate that `inner` uses, by the number of updates made; reported only.
      clip_norm: Largest norm of the gradient; None for no limit.
      spikes: Which losses are spikes; None for none.
    """

    def init(params: Any) -> GuardState:
        known = tuple(name.removesuffix("/value") for name in pytree.named_leaves(params))
        # One array each: a donated buffer must not be used twice.
        zero = lambda dtype, shape=(): jnp.zeros(shape, dtype)  # noqa: E731
        return GuardState(
            inner=inner.init(params),
            count=zero(jnp.int32),
            skipped={cause: zero(jnp.int32) for cause in CAUSES},
            in_a_row=zero(jnp.int32),
            losses=() if spikes is None else (zero(jnp.float32, spikes.window),),
            grad_norm=zero(jnp.float32),
            part_norms={_part(name): zero(jnp.float32) for name in known},
            learning_rate=zero(jnp.float32),
            bad_update=jnp.full((), -1, jnp.int32),
            names=known,
        )

    def update(
        grads: Any, state: GuardState, params: Any = None, *, loss: Array | None = None, **_: Any
    ) -> tuple[Any, GuardState]:
        squares = [jnp.sum(jnp.square(leaf.astype(jnp.float32))) for leaf in jax.tree.leaves(grads)]
        norm = jnp.sqrt(sum(squares, jnp.float32(0.0)))
        if clip_norm is not None:
            scale = jnp.minimum(1.0, clip_norm / jnp.maximum(norm, 1e-30))
            grads = jax.tree.map(lambda g: g * scale.astype(g.dtype), grads)
        updates, inner_state = inner.update(grads, state.inner, params)

        bad_gradient = first_bad(squares)
        bad_update = first_bad(jax.tree.leaves(updates))
        level = jnp.float32(0.0) if loss is None else loss.astype(jnp.float32)
        found = jnp.stack(
            [
                ~jnp.isfinite(level),
                ~jnp.isfinite(norm),
                bad_update >= 0,
                _is_spike(level, state, spikes),
            ]
        )
        made, cause = ~found.any(), jnp.argmax(found)
        # Minus zero, since adding it changes no number at all: -0.0 + 0.0 is 0.0.
        updates, inner_state = jax.lax.cond(
            made,
            lambda: (updates, inner_state),
            lambda: (jax.tree.map(lambda u: jnp.full_like(u, -0.0), updates), state.inner),
        )
        return updates, GuardState(
            inner=inner_state,
            count=state.count + made,
            skipped={name: state.skipped[name] + (~made & (cause == i)) for i, name in enumerate(CAUSES)},
            in_a_row=jnp.where(made, 0, state.in_a_row + 1),
            losses=_remembered(level, state, made),
            grad_norm=norm,
            part_norms=_part_norms(squares, state.names),
            learning_rate=jnp.float32(rate(state.count)),
            bad_update=jnp.where(bad_gradient >= 0, bad_gradient, bad_update),
            names=state.names,
        )

    return optax.GradientTransformationExtraArgs(init, update)


def report(opt_state: Any) -> dict[str, jax.Array]:
    """Returns what the guard inside an optimizer state saw in the last step; empty without a guard."""
    metrics = {}
    for state in _guards(opt_state):
        metrics |= {f"grad_norm/{part}": norm for part, norm in state.part_norms.items()}
        metrics |= {f"skipped/{cause}": count for cause, count in state.skipped.items()}
        metrics |= {"grad_norm": state.grad_norm, "learning_rate": state.learning_rate}
        metrics |= {"skipped_steps": sum(state.skipped.values())}
        metrics |= {IN_A_ROW: state.in_a_row, BAD_UPDATE: state.bad_update}
    return {name: value.astype(jnp.float32) for name, value in metrics.items()}


def was_made(opt_state: Any) -> Bool[Array, ""]:
    """Says whether the last step was made; without a guard it always was."""
    in_a_row = [state.in_a_row for state in _guards(opt_state)]
    return jnp.array(True) if not in_a_row else sum(in_a_row) == 0


def names(opt_state: Any) -> tuple[str, ...]:
    """Returns the names of the parameters that the guard inside an optimizer state looks at."""
    return tuple(name for state in _guards(opt_state) for name in state.names)


def explain(metrics: Mapping[str, Any], batch: Any, guarded: Sequence[str], parameters: Sequence[str]) -> str:
    """Says what was wrong with a skipped step; of every kind of thing that was it names the first.

    Args:
      metrics: Of the step, with those of `report`.
      batch: What the step was made on.
      guarded: Names of the parameters that the guard looks at, see `names`.
      parameters: Names of all parameters.
    """
    values = {name: float(value) for name, value in metrics.items()}
    losses = [name for name, value in values.items() if name.endswith("loss") and not np.isfinite(value)]
    features = (name for name, leaf in pytree.named_leaves(batch).items() if not _is_finite(leaf))
    norm = values.get("grad_norm", 0.0)
    bad_parameter, bad_update = (int(values.get(name, -1)) for name in (BAD_PARAMETER, BAD_UPDATE))
    bad = [f"{name} in its batch" for name in itertools.islice(features, 1)]
    bad += [f"the parameter {parameters[bad_parameter]}"] if bad_parameter >= 0 else []
    bad += [f"its {name}" for name in sorted(losses, key=lambda name: "/" not in name)[:1]]
    kind = "update" if np.isfinite(norm) else "gradient"
    bad += [f"the {kind} of {guarded[bad_update]}"] if bad_update >= 0 else []
    if not bad and np.isfinite(norm):
        return f"its loss of {values.get('loss', np.nan):.4g} is a spike"
    return f"not finite is {', '.join(bad) or 'the norm of its gradient'}"


def first_bad(leaves: Sequence[Array]) -> Int[Array, ""]:
    """Returns the number of the first leaf that is not finite everywhere; -1 if all are."""
    bad = jnp.stack([~jnp.isfinite(leaf).all() for leaf in leaves])
    return jnp.where(bad.any(), jnp.argmax(bad), -1).astype(jnp.int32)


def _is_spike(loss: Float[Array, ""], state: GuardState, spikes: SpikeConfig | None) -> Bool[Array, ""]:
    if spikes is None:
        return jnp.array(False)
    [losses] = state.losses
    return (state.count >= spikes.window) & (loss > losses.mean() + spikes.sigmas * losses.std())


def _remembered(loss: Float[Array, ""], state: GuardState, made: Bool[Array, ""]) -> tuple[Array, ...]:
    places = (state.count % len(losses) for losses in state.losses)
    return tuple(
        losses.at[place].set(jnp.where(made, loss, losses[place]))
        for losses, place in zip(state.losses, places, strict=True)
    )


def _part_norms(squares: Sequence[Array], names: Sequence[str]) -> dict[str, Array]:
    parts: dict[str, Array] = {}
    for name, square in zip(names, squares, strict=True):
        parts[_part(name)] = parts.get(_part(name), jnp.float32(0.0)) + square
    return {part: jnp.sqrt(total) for part, total in parts.items()}


def _part(name: str) -> str:
    return name.split("/")[0]


def _is_finite(leaf: Any) -> bool:
    array = np.asarray(leaf)
    return not np.issubdtype(array.dtype, np.floating) or bool(np.isfinite(array).all())


def _guards(opt_state: Any) -> list[GuardState]:
    is_guard = lambda node: isinstance(node, GuardState)  # noqa: E731
    return [node for node in jax.tree.leaves(opt_state, is_leaf=is_guard) if is_guard(node)]
