"""Choosing the next token from logits. Knows nothing of where they come from."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from unified_io.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Draws one token a row; `Sampler(temperature=0.0)` takes the likeliest.

    Tokens are first cut to the nucleus of probability `top_p`, then to the `top_k` likeliest, then drawn from
    softmax(logits / temperature). What ties with the last token kept is kept too.

    Attributes:
      temperature: Divides the logits; 0 is greedy.
      top_k: Keep this many tokens; 0 keeps all.
      top_p: Keep the likeliest tokens until they reach this probability; 1 keeps all.
      tempered_nucleus: Measure the nucleus after the temperature, as the PyTorch port does, and not before it.

    Raises:
      ConfigError: A number is outside its range.

    Source: the released JAX sampler, and the port's where named.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    tempered_nucleus: bool = False

    def __post_init__(self):
        if self.temperature != 0 and not 1e-5 <= self.temperature < math.inf:
            raise ConfigError(
                f"temperature {self.temperature} is neither 0 (greedy) nor a number from 0.00001 up"
            )
        if not isinstance(self.top_k, int) or self.top_k < 0:
            raise ConfigError(f"top_k {self.top_k} is not a whole number from 0 (all tokens) up")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p {self.top_p} is not in (0, 1]; 1 keeps all tokens")

    def __call__(self, logits: Float[Array, "B V"], rng: PRNGKeyArray) -> Int[Array, " B"]:
        """Returns one token id a row.

        Args:
          logits: Scores, -inf where a token is forbidden.
          rng: One key, or a key a row; row i draws the same token whatever the other rows hold.
        """
        logits = logits.astype(jnp.float32)
        if self.temperature == 0:
            return jnp.argmax(logits, axis=-1).astype(jnp.int32)
        tempered = logits / self.temperature
        if self.top_p < 1:
            kept = keep_top_p(tempered if self.tempered_nucleus else logits, self.top_p)
            tempered = jnp.where(jnp.isfinite(kept), tempered, -jnp.inf)
        if self.top_k > 0:
            tempered = keep_top_k(tempered, self.top_k)
        draw = jax.vmap(jax.random.categorical)
        return draw(row_keys(rng, logits.shape[0]), tempered).astype(jnp.int32)


def keep_top_p(logits: Float[Array, "*B V"], p: float) -> Float[Array, "*B V"]:
    """Sets to -inf what is below the logit at which the sorted, summed probabilities reach p."""
    ordered = jnp.sort(logits, axis=-1, descending=True)
    total = jnp.cumsum(jax.nn.softmax(ordered, axis=-1), axis=-1)
    # Rounding may leave the whole sum below p: then the last token is the first to reach it.
    reached = jnp.minimum(jnp.sum(total < p, axis=-1, keepdims=True), logits.shape[-1] - 1)
    return jnp.where(logits >= jnp.take_along_axis(ordered, reached, axis=-1), logits, -jnp.inf)


def keep_top_k(logits: Float[Array, "*B V"], k: int) -> Float[Array, "*B V"]:
    """Sets to -inf what is below the k-th largest logit."""
    largest, _ = jax.lax.top_k(logits, min(k, logits.shape[-1]))
    return jnp.where(logits >= largest[..., -1:], logits, -jnp.inf)


def row_keys(rng: PRNGKeyArray, rows: int) -> PRNGKeyArray:
    """Returns a key a row. One key is folded with the row number; keys that are already as many rows stay.

    Raises:
      ConfigError: Several keys, but not one a row.
    """
    rng = rng if jnp.issubdtype(rng.dtype, jax.dtypes.prng_key) else jax.random.wrap_key_data(rng)
    if rng.ndim == 0:
        return jax.vmap(jax.random.fold_in, (None, 0))(rng, jnp.arange(rows))
    if rng.shape != (rows,):
        raise ConfigError(f"got {rng.shape} random keys for {rows} rows; give one key, or one a row")
    return rng
