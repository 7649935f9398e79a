"""Our metrics as clu's, which T5X merges over steps, microbatches and hosts before it computes them."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

# T5X's names for what is counted over all targets together.
_OVERALL = {"cross_ent_loss": "loss", "z_loss": "z_loss", "accuracy": "accuracy"}


def as_clu(metrics: Mapping[str, Float[Array, ""]]) -> dict[str, Any]:
    """Returns the metrics of one batch as mergeable ones.

    Args:
      metrics: Those of `loss.total_loss`, divided by the number of tokens.

    Returns:
      All of them but maxima under their names, `<target>/…` averaged over the tokens of that target; `<target>/tokens`
      and `loss` averaged over steps. And T5X's `accuracy`, `cross_ent_loss`, `z_loss` and
      `loss_per_nonpadding_target_token`, averaged over the tokens of all targets. What has no token is NaN.
    """
    from clu.metrics import Average

    tokens = {key.removesuffix("/tokens"): count for key, count in metrics.items() if key.endswith("/tokens")}

    def over_tokens(key: str) -> Any:
        target, _, what = key.rpartition("/")
        count = tokens[target] if target in tokens and what != "tokens" else 1.0
        return Average(total=jnp.float32(metrics[key] * count), count=jnp.float32(count))

    def overall(what: str) -> Any:
        total = sum((metrics[f"{target}/{what}"] * count for target, count in tokens.items()), 0.0)
        return Average(total=jnp.float32(total), count=jnp.float32(sum(tokens.values(), 0.0)))

    # A maximum has no mean, and clu's T5X knows none.
    found = {key: over_tokens(key) for key in metrics if not key.endswith("_max")}
    found |= {name: overall(what) for name, what in _OVERALL.items()}
    both = found["cross_ent_loss"], found["z_loss"]
    per_token = Average(total=both[0].total + both[1].total, count=both[0].count)
    return found | {"loss_per_nonpadding_target_token": per_token}
