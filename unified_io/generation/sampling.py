"""Choosing the next token from logits. Knows nothing of where they come from."""

import dataclasses
import math
import numbers

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt32

from unified_io.errors import ConfigError

_NUMBERS = ("temperature", "top_k", "top_p", "min_p")


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Draws one token a row; `Sampler(temperature=0.0)` takes the likeliest.

    Tokens are first cut to the nucleus of probability `top_p`, to the `top_k` likeliest and to what is not much less
    likely than the likeliest, then drawn from softmax(logits / temperature). What ties with the last token kept is kept
    too.

    It is a pytree of its four numbers: given to a compiled function as an argument, other numbers compile nothing
    anew, and arrays [B] give every row numbers of its own.

    Attributes:
      temperature: Divides the logits; 0 is greedy.
      top_k: Keep this many tokens; 0 keeps all.
      top_p: Keep the likeliest tokens until they reach this probability; 1 keeps all.
      min_p: Keep tokens at least this share as likely as the likeliest; 0 keeps all.
      tempered_nucleus: Measure probabilities after the temperature, as the PyTorch port does, and not before it.

    Raises:
      ConfigError: A number is outside its range.

    Source: the released JAX sampler, and the port's where named; Nguyen et al. 2024 for `min_p`.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    tempered_nucleus: bool = False

    def __post_init__(self):
        for name in _NUMBERS:
            if not isinstance(value := getattr(self, name), numbers.Real):
                raise ConfigError(f"{name} {value!r} is not a number")
        if self.temperature != 0 and not 1e-5 <= self.temperature < math.inf:
            raise ConfigError(
                f"temperature {self.temperature} is neither 0 (greedy) nor a number from 0.00001 up"
            )
        if not isinstance(self.top_k, numbers.Integral) or self.top_k < 0:
            raise ConfigError(f"top_k {self.top_k} is not a whole number from 0 (all tokens) up")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p {self.top_p} is not in (0, 1]; 1 keeps all tokens")
        if not 0 <= self.min_p <= 1:
            raise ConfigError(f"min_p {self.min_p} is not in [0, 1]; 0 keeps all tokens")
        for name, kind in zip(
            _NUMBERS, (float, int, float, float), strict=True
        ):  # to a compiler 0 is not 0.0
            object.__setattr__(self, name, kind(getattr(self, name)))

    def __call__(self, logits: Float[Array, "B V"], rng: PRNGKeyArray) -> Int[Array, " B"]:
        """Returns one token id a row.

        Args:
          logits: Scores, -inf where a token is forbidden.
          rng: One key, or a key a row; row i draws the same token whatever the other rows hold.
        """
        logits = logits.astype(jnp.float32)
        rows = logits.shape[0]
        temperature, top_k, top_p, min_p = (
            jnp.broadcast_to(getattr(self, name), rows)[:, None] for name in _NUMBERS
        )
        greedy = temperature == 0
        likeliest = jnp.argmax(logits, axis=-1).astype(jnp.int32)

        def drawn() -> Int[Array, " B"]:
            tempered = logits / jnp.where(greedy, 1.0, temperature)
            measured = tempered if self.tempered_nucleus else logits
            cuts = ~greedy & ((top_k > 0) | (top_p < 1) | (min_p > 0))
            kept = jax.lax.cond(
                jnp.any(cuts),
                lambda: kept_tokens(measured, top_k, top_p, min_p),
                lambda: jnp.ones(logits.shape, bool),
            )
            ids = jax.vmap(jax.random.categorical)(row_keys(rng, rows), jnp.where(kept, tempered, -jnp.inf))
            return jnp.where(greedy[:, 0], likeliest, ids.astype(jnp.int32))

        return jax.lax.cond(jnp.all(greedy), lambda: likeliest, drawn)


def _unflatten(tempered_nucleus: bool, values: tuple) -> Sampler:
    """Arrays, and whatever else JAX puts in their place, are not checked as numbers are."""
    sampler = object.__new__(Sampler)
    for name, value in zip((*_NUMBERS, "tempered_nucleus"), (*values, tempered_nucleus), strict=True):
        object.__setattr__(sampler, name, value)
    return sampler


jax.tree_util.register_pytree_node(
    Sampler, lambda s: (tuple(getattr(s, name) for name in _NUMBERS), s.tempered_nucleus), _unflatten
)


def kept_tokens(
    logits: Float[Array, "B V"],
    top_k: Int[Array, "#B 1"] | int = 0,
    top_p: Float[Array, "#B 1"] | float = 1.0,
    min_p: Float[Array, "#B 1"] | float = 0.0,
) -> Array:
    """Returns which tokens may be drawn, bool [B, V]; the arguments are those of `Sampler`, one a row or for all."""
    logits = jnp.where(logits == 0, 0.0, logits)  # -0 is as likely as 0
    probabilities = jax.nn.softmax(logits, axis=-1)
    ranks = _ranks(logits)

    def enough(least: Array) -> Array:
        """Whether the tokens from a rank up are all that a cut keeps."""
        chosen = ranks >= least
        nucleus = (top_p < 1) & (jnp.sum(jnp.where(chosen, probabilities, 0.0), -1, keepdims=True) >= top_p)
        return nucleus | ((top_k > 0) & (jnp.sum(chosen, -1, keepdims=True) >= top_k))

    def settle(place: Array, least: Array) -> Array:
        higher = least | (jnp.uint32(1) << (31 - place).astype(jnp.uint32))
        return jnp.where(enough(higher), higher, least)

    # The highest rank that keeps enough, bit by bit: sorting a vocabulary takes as long as a step of a small model.
    least = jax.lax.fori_loop(0, 32, settle, jnp.zeros((logits.shape[0], 1), jnp.uint32))
    return (ranks >= least) & (logits >= logits.max(-1, keepdims=True) + jnp.log(min_p))


def _ranks(logits: Float[Array, "B V"]) -> UInt32[Array, "B V"]:
    """Whole numbers that are in the order of the logits."""
    bits = jax.lax.bitcast_convert_type(logits.astype(jnp.float32), jnp.uint32)
    sign = jnp.uint32(1 << 31)
    return jnp.where(bits & sign, ~bits, bits | sign)


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
