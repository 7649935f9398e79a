"""Token cross-entropy with z-loss and its metrics. Knows logits, tokens and weights; no modality, no one-hot."""

import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Float, Int


@struct.dataclass
class TargetOutput:
    """What the model says about one bank of target tokens."""

    logits: Float[Array, "G N V"]
    tokens: Int[Array, "G N"]
    weights: Float[Array, "G N"]


def token_loss(
    logits: Float[Array, "*B V"],
    tokens: Int[Array, "*B"],
    z_loss: float = 1e-4,
    label_smoothing: float = 0.0,
) -> tuple[Float[Array, "*B"], Float[Array, "*B"]]:
    """Cross-entropy and z-loss of every token, in nats.

    Args:
      logits: Unnormalised log-probabilities; computed in float32, or in float64 where they are that.
      tokens: The right token of every place.
      z_loss: Weight of the squared log-normaliser, which keeps logits from drifting.
      label_smoothing: Share of the probability that the right token leaves to all others alike. What no logits could
        do better than is taken off, so that 0 stays the best loss.

    Returns:
      The cross-entropy and the z-loss term (already weighted); their sum is the loss.

    Source: mesh-tensorflow's auxiliary loss as used by T5X; the pull on the log-normaliser is part of the gradient.
    """
    logits = logits.astype(np.promote_types(logits.dtype, np.float32))
    log_z = jax.nn.logsumexp(logits, axis=-1)
    right = jnp.arange(logits.shape[-1]) == tokens[..., None]
    chosen = jnp.sum(jnp.where(right, logits, 0.0), axis=-1)
    cross_entropy = log_z - chosen
    if label_smoothing:
        others = logits.shape[-1] - 1
        sure, each = 1.0 - label_smoothing, label_smoothing / others
        best = sure * math.log(sure) + label_smoothing * math.log(each)
        rest = others * log_z - (jnp.sum(logits, axis=-1) - chosen)
        cross_entropy = sure * cross_entropy + each * rest + best
    return cross_entropy, z_loss * jnp.square(log_z)


def total_loss(
    outputs: dict[str, TargetOutput],
    z_loss: float = 1e-4,
    label_smoothing: float = 0.0,
    divide_by: float | None = None,
    counts: Mapping[str, Float[Array, ""]] | None = None,
    target_weights: Mapping[str, float] | None = None,
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Adds up the losses of all targets, each a mean over its own real tokens.

    Unless weighted, every target counts the same, whatever its number of tokens; one without a token adds nothing.

    Args:
      outputs: What the model says, by target.
      z_loss: See `token_loss`.
      label_smoothing: See `token_loss`.
      divide_by: Divides each target's summed loss instead of its own number of tokens (1 for plain sums).
      counts: Tokens of every target in the batch of which the outputs are a part; losses and metrics of all parts then
        add up to those of the batch, but for the maximum. None where they are all of it.
      target_weights: How much a target counts in the loss, 1 where none is named. Its own metrics stay as they are.

    Returns:
      The loss, and per target `<name>/loss`, `<name>/z_loss`, `<name>/accuracy`, `<name>/tokens` and
      `<name>/logit_max`, the largest logit of its real tokens (minus infinity where there are none).
    """
    total = jnp.zeros((), jnp.float32)
    metrics = {}
    for name, out in outputs.items():
        cross_entropy, z_term = token_loss(out.logits, out.tokens, z_loss, label_smoothing)
        count = jnp.maximum(out.weights.sum() if counts is None else counts[name], 1.0)
        loss, z_mean = (jnp.sum(x * out.weights) / (divide_by or count) for x in (cross_entropy, z_term))
        hits = (jnp.argmax(out.logits, axis=-1) == out.tokens) * out.weights
        metrics[f"{name}/loss"] = loss
        metrics[f"{name}/z_loss"] = z_mean
        metrics[f"{name}/accuracy"] = hits.sum() / count
        metrics[f"{name}/tokens"] = out.weights.sum()
        largest = jnp.where(out.weights > 0, jnp.max(out.logits, axis=-1), -jnp.inf)
        metrics[f"{name}/logit_max"] = jnp.max(largest, initial=-jnp.inf).astype(jnp.float32)
        total = total + (target_weights or {}).get(name, 1.0) * (loss + z_mean)
    return total, {"loss": total, **metrics}


def merged(batches: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Puts the metrics of several batches together: `total_loss` of all their tokens at once.

    A metric `<name>/x` counts by the batch's `<name>/tokens`, of a maximum the largest counts, and `loss` is added up
    again from the targets; so the result is the same however examples were laid out in batches. Others are averaged.

    Args:
      batches: Metrics of `total_loss`, divided by the number of tokens, as plain numbers; at least one.
    """
    tokens = {
        key.removesuffix("/tokens"): sum(batch[key] for batch in batches)
        for key in batches[0]
        if key.endswith("/tokens")
    }

    def mean(key: str) -> float:
        if is_maximum(key):
            return max(batch[key] for batch in batches)
        target = key.rpartition("/")[0]
        if target not in tokens:
            return sum(batch[key] for batch in batches) / len(batches)
        return sum(batch[key] * batch[f"{target}/tokens"] for batch in batches) / max(tokens[target], 1.0)

    means = {key: mean(key) for key in batches[0] if not key.endswith("/tokens")}
    if "loss" in means and tokens:
        means["loss"] = sum(means[f"{name}/loss"] + means[f"{name}/z_loss"] for name in tokens)
    return means | {f"{name}/tokens": count for name, count in tokens.items()}


def is_maximum(name: str) -> bool:
    """Says whether a metric is a maximum, of which no sum and no mean is taken."""
    return name.endswith("_max")
