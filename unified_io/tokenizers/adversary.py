"""What a discriminator and the network it judges want of each other. Knows verdicts, no particular network."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io.errors import ConfigError, unknown
from unified_io.tokenizers.discriminators import PatchConfig, SoundConfig, Verdict

Judge = Callable[[Array], Verdict]
Metrics = Mapping[str, Float[Array, ""]]

_MOST = 1e4  # of the adaptive weight


@dataclasses.dataclass(frozen=True)
class Adversary:
    """A discriminator and how much it counts.

    Attributes:
      discriminator: Its shape.
      weight: Of the wish to pass for real.
      adaptive: Scale that wish so that it pulls at what is made as strongly as everything else does, times `weight`.
      start: Step from which on it judges; before it neither learns nor counts.
      kind: "hinge" or least "squares".
      feature_weight: Of the wish that each of its layers sees in what is made what it sees in what is real.

    Source: Esser et al. 2021, equations 5 to 7, with the gradient at the output in place of that of the last layer,
    which saves a pass through it; least squares and features as in HiFi-GAN (Kong et al. 2020), equations 1 to 4.
    """

    discriminator: PatchConfig | SoundConfig = PatchConfig()
    weight: float = 0.8
    adaptive: bool = True
    start: int = 0
    kind: Literal["hinge", "squares"] = "hinge"
    feature_weight: float = 0.0

    def __post_init__(self):
        if self.kind not in ("hinge", "squares"):
            raise unknown("kind of adversary", str(self.kind), ("hinge", "squares"))
        if min(self.weight, self.start, self.feature_weight) < 0:
            raise ConfigError(
                f"weight {self.weight}, start {self.start}, feature_weight {self.feature_weight}; give 0 or more"
            )

    def to_pass(
        self, judge: Judge, made: Array, real: Array, others: Callable[[Array], Array], step: Array
    ) -> tuple[Float[Array, ""], Metrics]:
        """What is added to the loss of whoever made something.

        Args:
          judge: The discriminator, which is not to change.
          made: What was made.
          real: What is real.
          others: The rest of the loss as a function of what was made.
          step: Of training.
        """

        def passing() -> tuple[Float[Array, ""], Metrics]:
            verdict = judge(made)
            wish = self._wish(verdict)
            loss, metrics = self.weight * wish, {"adversary/wish": wish}
            if self.adaptive:
                fixed = jax.lax.stop_gradient(made)
                pull = _length(jax.grad(others)(fixed))
                push = _length(jax.grad(lambda media: self._wish(judge(media)))(fixed))
                share = jnp.clip(pull / (push + 1e-6), 0.0, _MOST)
                loss, metrics = loss * jax.lax.stop_gradient(share), {**metrics, "adversary/share": share}
            if self.feature_weight:
                alike = _distance(verdict, jax.lax.stop_gradient(judge(real)))
                loss, metrics = loss + self.feature_weight * alike, {**metrics, "adversary/features": alike}
            return loss, metrics

        return self._once_begun(step, passing)

    def to_tell(
        self, judge: Judge, made: Array, real: Array, step: Array
    ) -> tuple[Float[Array, ""], Metrics]:
        """The loss of the discriminator, and how often it is right; `made` gets no gradient."""

        def telling() -> tuple[Float[Array, ""], Metrics]:
            on_real, on_made = judge(real).logits, judge(jax.lax.stop_gradient(made)).logits
            if self.kind == "hinge":
                losses = [
                    _mean(jax.nn.relu(1 - r)) + _mean(jax.nn.relu(1 + m))
                    for r, m in zip(on_real, on_made, strict=True)
                ]
                loss, border = sum(losses) / 2 / len(losses), 0.0
            else:
                losses = [
                    _mean(jnp.square(1 - r)) + _mean(jnp.square(m))
                    for r, m in zip(on_real, on_made, strict=True)
                ]
                loss, border = sum(losses), 0.5
            right = [
                (_mean(r > border) + _mean(m < border)) / 2 for r, m in zip(on_real, on_made, strict=True)
            ]
            return loss, {"judge/loss": loss, "judge/accuracy": sum(right) / len(right)}

        return self._once_begun(step, telling)

    def _once_begun(
        self, step: Array, loss: Callable[[], tuple[Float[Array, ""], Metrics]]
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns a loss from the first step of the adversary on; before it nothing is computed and all is 0."""
        if not self.start:
            return loss()
        shapes = jax.eval_shape(loss)
        nothing = lambda: jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)  # noqa: E731
        return jax.lax.cond(step >= self.start, loss, nothing)

    def _wish(self, verdict: Verdict) -> Float[Array, ""]:
        if self.kind == "hinge":
            return -sum(map(_mean, verdict.logits)) / len(verdict.logits)
        return sum(_mean(jnp.square(1 - logits)) for logits in verdict.logits)


def _distance(made: Verdict, real: Verdict) -> Float[Array, ""]:
    pairs = zip(made.features, real.features, strict=True)
    return sum(_mean(jnp.abs(a - b)) for a, b in pairs)


def _mean(values: Any) -> Float[Array, ""]:
    return jnp.mean(values.astype(jnp.float32))


def _length(array: Array) -> Float[Array, ""]:
    return jnp.sqrt(jnp.sum(jnp.square(array.astype(jnp.float32))))
