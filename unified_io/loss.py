"""Token cross-entropy with z-loss and its metrics. Knows logits, tokens and weights; no modality, no one-hot."""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int


@struct.dataclass
class TargetOutput:
    """What the model says about one bank of target tokens."""

    logits: Float[Array, "G N V"]
    tokens: Int[Array, "G N"]
    weights: Float[Array, "G N"]


def token_loss(
    logits: Float[Array, "*B V"], tokens: Int[Array, "*B"], z_loss: float = 1e-4
) -> tuple[Float[Array, "*B"], Float[Array, "*B"]]:
    """Cross-entropy and z-loss of every token, in nats.

    Args:
      logits: Unnormalised log-probabilities; computed in float32 whatever their dtype.
      tokens: The right token of every place.
      z_loss: Weight of the squared log-normaliser, which keeps logits from drifting.

    Returns:
      The cross-entropy and the z-loss term (already weighted); their sum is the loss.

    Source: mesh-tensorflow's auxiliary loss as used by T5X; the pull on the log-normaliser is part of the gradient.
    """
    logits = logits.astype(jnp.float32)
    log_z = jax.nn.logsumexp(logits, axis=-1)
    right = jnp.arange(logits.shape[-1]) == tokens[..., None]
    chosen = jnp.sum(jnp.where(right, logits, 0.0), axis=-1)
    return log_z - chosen, z_loss * jnp.square(log_z)


def total_loss(
    outputs: dict[str, TargetOutput], z_loss: float = 1e-4
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """Adds up the losses of all targets, each a mean over its own real tokens.

    Every target counts the same, whatever its number of tokens; one without a token adds nothing.

    Returns:
      The loss, and per target `<name>/loss`, `<name>/z_loss`, `<name>/accuracy` and `<name>/tokens`.
    """
    total = jnp.zeros((), jnp.float32)
    metrics = {}
    for name, out in outputs.items():
        cross_entropy, z_term = token_loss(out.logits, out.tokens, z_loss)
        count = jnp.maximum(out.weights.sum(), 1.0)
        loss, z_mean = (jnp.sum(x * out.weights) / count for x in (cross_entropy, z_term))
        hits = (jnp.argmax(out.logits, axis=-1) == out.tokens) * (out.weights > 0)
        metrics[f"{name}/loss"] = loss
        metrics[f"{name}/z_loss"] = z_mean
        metrics[f"{name}/accuracy"] = hits.sum() / jnp.maximum((out.weights > 0).sum(), 1)
        metrics[f"{name}/tokens"] = out.weights.sum()
        total = total + loss + z_mean
    return total, {"loss": total, **metrics}
