"""Attention: one function over heads, `attend`, and one module around it. Masks and angles are given."""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.nn import masks, rope
from unified_io.nn.dense import FAN_IN_NORMAL, Dense
from unified_io.nn.norm import RMSNorm
from unified_io.nn.parameter import parameter

IMPLEMENTATIONS = ("xla", "chunked")
MAX_LOGIT_SCALE = math.log(100.0)

KV = dict[str, Float[Array, "... _ H K"]]


def attend(
    q: Float[Array, "B Q H K"],
    k: Float[Array, "B L H K"],
    v: Float[Array, "B L H K"],
    *,
    mask: Bool[Array, "#B #H #Q #L"] | None = None,
    bias: Float[Array, "#B #H #Q #L"] | None = None,
    scale: float | None = None,
    beside: KV | None = None,
    impl: str = "xla",
    chunk: int = 512,
) -> Float[Array, "B Q H K"]:
    """Returns the average of the values, weighted by softmax(q k * scale + bias).

    Where `mask` is False -1e10 is added. Logits and softmax are float32, or float64 where `q` is; weights get the
    dtype of `v`.

    Args:
      scale: 1 / sqrt(K) unless told.
      beside: Further keys and values, seen by all queries: a cache need not be copied for the token at hand.
      impl: "xla" holds all logits at once; "chunked" goes over the keys `chunk` at a time and recomputes
        on the way back, for rows of some thousand tokens.

    Raises:
      ConfigError: `impl` is unknown.
    """
    q = q * jnp.asarray(q.shape[-1] ** -0.5 if scale is None else scale, q.dtype)
    if impl == "xla" or beside is not None:
        wide = np.promote_types(q.dtype, np.float32)
        logits = jnp.einsum("bqhd,bkhd->bhqk", q, k, preferred_element_type=wide)
        if bias is not None:
            logits = logits + bias
        if mask is not None:
            logits = logits + masks.to_bias(mask)
        if beside is not None:
            own = jnp.einsum("bqhd,bkhd->bhqk", q, beside["k"], preferred_element_type=wide)
            logits = jnp.concatenate([logits, own], axis=-1)
        weights = jax.nn.softmax(logits, axis=-1).astype(v.dtype)
        average = jnp.einsum("bhqk,bkhd->bqhd", weights[..., : v.shape[1]], v)
        if beside is None:
            return average
        return average + jnp.einsum("bhqk,bkhd->bqhd", weights[..., v.shape[1] :], beside["v"])
    if impl == "chunked":
        return _attend_chunked(q, k, v, mask, bias, chunk)
    raise errors.unknown("attention implementation", impl, IMPLEMENTATIONS)


def _attend_chunked(q, k, v, mask, bias, chunk):
    """Online softmax: running maximum, sum and weighted values over chunks of keys."""
    batch, queries, heads, size = q.shape
    length = k.shape[1]
    wide = np.promote_types(q.dtype, np.float32)
    chunk = min(chunk, length)
    pad = -length % chunk
    k, v = (jnp.pad(x, ((0, 0), (0, pad), (0, 0), (0, 0))) for x in (k, v))

    def slicer(x):
        """Returns chunk start -> the slice of `x` along keys, whole where it is the same for all keys."""
        if x is None or x.shape[-1] == 1:
            return lambda start: x
        x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, pad)))
        return lambda start: jax.lax.dynamic_slice_in_dim(x, start, chunk, axis=-1)

    mask_at, bias_at = slicer(mask), slicer(bias)

    @jax.checkpoint
    def step(carry, start):
        highest, total, values = carry
        k_part, v_part = (jax.lax.dynamic_slice_in_dim(x, start, chunk, axis=1) for x in (k, v))
        logits = jnp.einsum("bqhd,bkhd->bhqk", q, k_part, preferred_element_type=wide)
        if (bias_part := bias_at(start)) is not None:
            logits = logits + bias_part
        if (mask_part := mask_at(start)) is not None:
            logits = logits + masks.to_bias(mask_part)
        # Added keys get -inf, not -1e10: they must stay out of the average of a query that has no key at all.
        logits = jnp.where(start + jnp.arange(chunk) < length, logits, -jnp.inf)
        new_highest = jax.lax.stop_gradient(jnp.maximum(highest, logits.max(axis=-1)))
        weights = jnp.exp(logits - new_highest[..., None])
        shrink = jnp.exp(highest - new_highest)
        part = jnp.einsum("bhqk,bkhd->bhqd", weights.astype(v.dtype), v_part, preferred_element_type=wide)
        return (new_highest, total * shrink + weights.sum(axis=-1), values * shrink[..., None] + part), None

    rows = (batch, heads, queries)
    start = (jnp.full(rows, -jnp.inf, wide), jnp.zeros(rows, wide), jnp.zeros((*rows, size), wide))
    (_, total, values), _ = jax.lax.scan(step, start, jnp.arange(0, length + pad, chunk))
    return (values / total[..., None]).transpose(0, 2, 1, 3).astype(v.dtype)


def write(cache: KV, new: KV, index: Int[Array, ""]) -> KV:
    """Returns the cache with the keys and values of the tokens from `index` on replaced by `new`.

    The token axis is counted from the end, so a cache of all layers can be written at once.
    """
    return jax.tree.map(
        lambda old, x: jax.lax.dynamic_update_slice_in_dim(old, x, index, axis=-3), cache, new
    )


def lengthen(cache: KV, length: int) -> KV:
    """Returns the cache with room for `length` tokens in all; it is never shortened."""

    def pad(x: Array) -> Array:
        widths = np.zeros((x.ndim, 2), int)
        widths[-3, 1] = max(0, length - x.shape[-3])
        return jnp.pad(x, widths)

    return jax.tree.map(pad, cache)


class Attention(nn.Module):
    """Multi-head attention of tokens to themselves or to a context, with rotary positions where given.

    Order: project, split heads, norm, rotate, scale, dot. `__call__` does everything; decoding calls its
    three moves `queries`, `keys_values` and `read` apart, because keys and values of earlier tokens are kept.

    Attributes:
      width: Numbers a token on the way out.
      qk_norm: RMS norm over each head of queries and keys; one scale for all heads.
      scaled_cosine: Cosine of queries and keys times a learned factor a head (at most 100), instead of the
        scaled dot product.
      dropout_rate: Drops keys, the same for all queries of a head.
    """

    width: int
    num_heads: int
    head_dim: int
    qk_norm: bool = False
    scaled_cosine: bool = False
    use_bias: bool = False
    dropout_rate: float = 0.0
    impl: str = "xla"
    kernel_init: Initializer = FAN_IN_NORMAL
    dtype: DTypeLike = jnp.float32

    def setup(self):
        dense = partial(Dense, use_bias=self.use_bias, kernel_init=self.kernel_init, dtype=self.dtype)
        joined = self.num_heads * self.head_dim
        self.query = dense(joined, ("embed", "joined_kv"))
        self.key = dense(joined, ("embed", "joined_kv"))
        self.value = dense(joined, ("embed", "joined_kv"))
        self.out = dense(self.width, ("joined_kv", "embed"))
        if self.qk_norm:
            self.query_norm = RMSNorm(axis="kv", dtype=self.dtype)
            self.key_norm = RMSNorm(axis="kv", dtype=self.dtype)
        if self.scaled_cosine:
            init = nn.initializers.constant(math.log(10.0))
            self.logit_scale = parameter(self, "logit_scale", init, (self.num_heads,), ("heads",))
        self.dropout = nn.Dropout(self.dropout_rate, broadcast_dims=(3,))

    def __call__(
        self,
        x: Float[Array, "B Q D"],
        context: Float[Array, "B L C"] | None = None,
        *,
        mask: Bool[Array, "#B #H #Q #L"] | None = None,
        angles: Float[Array, "#B Q half"] | None = None,
        context_angles: Float[Array, "#B L half"] | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B Q W"]:
        """Attends from `x` to `context`, or to `x` itself (then `angles` serve both)."""
        kv = self.keys_values(x, angles) if context is None else self.keys_values(context, context_angles)
        return self.read(self.queries(x, angles), kv, mask=mask, deterministic=deterministic)

    def queries(
        self, x: Float[Array, "B Q D"], angles: Float[Array, "#B Q half"] | None = None
    ) -> Float[Array, "B Q H K"]:
        """Projected, normed and rotated queries; with scaled cosine they carry the learned factor."""
        q = self._split(self.query(x))
        if self.qk_norm:
            q = self.query_norm(q)
        if self.scaled_cosine:
            factor = jnp.exp(jnp.minimum(self.logit_scale, MAX_LOGIT_SCALE))
            q = _unit(q) * factor[:, None].astype(q.dtype)
        return q if angles is None else rope.rotate(q, angles)

    def keys_values(
        self, context: Float[Array, "B L C"], angles: Float[Array, "#B L half"] | None = None
    ) -> KV:
        """Keys (normed, rotated) and values `{"k", "v"}` of a context: what a cache holds."""
        k = self._split(self.key(context))
        if self.qk_norm:
            k = self.key_norm(k)
        if self.scaled_cosine:
            k = _unit(k)
        return {"k": k if angles is None else rope.rotate(k, angles), "v": self._split(self.value(context))}

    def read(
        self,
        q: Float[Array, "B Q H K"],
        kv: KV,
        *,
        mask: Bool[Array, "#B #H #Q #L"] | None = None,
        beside: KV | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B Q W"]:
        """Attends and projects out; see `attend` for `beside`, which knows no dropout."""
        # One dropped weight a key and head, the same for all queries, is a dropped value.
        v = self.dropout(kv["v"], deterministic=deterministic)
        scale = 1.0 if self.scaled_cosine else None
        heads = attend(q, kv["k"], v, mask=mask, scale=scale, beside=beside, impl=self.impl)
        return self.out(heads.reshape(*heads.shape[:2], -1))

    def _split(self, x: Float[Array, "B L HK"]) -> Float[Array, "B L H K"]:
        return x.reshape(*x.shape[:2], self.num_heads, self.head_dim)


def _unit(x: Float[Array, "*B K"]) -> Float[Array, "*B K"]:
    wide = x.astype(np.promote_types(x.dtype, np.float32))
    return (wide * jax.lax.rsqrt(jnp.sum(jnp.square(wide), axis=-1, keepdims=True) + 1e-12)).astype(x.dtype)
