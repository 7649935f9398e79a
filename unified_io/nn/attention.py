"""Attention: one function over heads, `attend`, and one module around it. Masks and angles are given."""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from unified_io import errors
from unified_io.nn import kept, masks, rope
from unified_io.nn.dense import FAN_IN_NORMAL, Dense
from unified_io.nn.kept import KV, Seen
from unified_io.nn.lora import LoRA
from unified_io.nn.norm import RMSNorm
from unified_io.nn.parameter import parameter

IMPLEMENTATIONS = ("xla", "chunked")
MAX_LOGIT_SCALE = math.log(100.0)


def attend(
    q: Float[Array, "B Q H K"],
    k: Float[Array, "B L G K"],
    v: Float[Array, "B L G K"],
    *,
    mask: Bool[Array, "#B #H #Q #L"] | None = None,
    bias: Float[Array, "#B #H #Q #L"] | None = None,
    scale: float | None = None,
    impl: str = "xla",
    chunk: int = 512,
) -> Float[Array, "B Q H K"]:
    """Returns the average of the values, weighted by softmax(q k * scale + bias).

    Where `mask` is False -1e10 is added. Logits and softmax are float32, or float64 where `q` is; weights get the
    dtype of `v`. With fewer heads of keys than of queries, H / G queries in a row share one.

    Args:
      scale: 1 / sqrt(K) unless told.
      impl: "xla" holds all logits at once; "chunked" goes over the keys `chunk` at a time and recomputes
        on the way back, for rows of some thousand tokens.

    Raises:
      ConfigError: `impl` is unknown.
    """
    q = q * jnp.asarray(q.shape[-1] ** -0.5 if scale is None else scale, q.dtype)
    if k.shape[2] != q.shape[2]:
        return _attend_grouped(q, k, v, mask, bias, impl=impl, chunk=chunk)
    if impl == "xla":
        wide = np.promote_types(q.dtype, np.float32)
        logits = jnp.einsum("bqhd,bkhd->bhqk", q, k, preferred_element_type=wide)
        if mask is not None:
            logits = logits + masks.to_bias(mask)
        if bias is not None:
            logits = logits + bias
        return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(logits, axis=-1).astype(v.dtype), v)
    if impl == "chunked":
        return _attend_chunked(q, k, v, mask, bias, chunk)
    raise errors.unknown("attention implementation", impl, IMPLEMENTATIONS)


def _attend_grouped(q, k, v, mask, bias, **how):
    """Lays the queries that share a head of keys side by side, as if they were further tokens."""
    batch, queries, heads, size = q.shape
    groups = k.shape[2]
    shared = heads // groups

    def fold(x):
        """Brings a mask or bias of heads into the shape of groups, each with queries * shared tokens."""
        if x is None:
            return None
        own = (groups, shared) if x.shape[1] > 1 else (1, 1)
        x = x.reshape(x.shape[0], *own, *x.shape[2:]).swapaxes(2, 3)
        x = jnp.broadcast_to(x, (*x.shape[:2], queries, shared, x.shape[-1]))
        return x.reshape(*x.shape[:2], queries * shared, x.shape[-1])

    q = q.reshape(batch, queries, groups, shared, size).swapaxes(2, 3)
    q = q.reshape(batch, queries * shared, groups, size)
    out = attend(q, k, v, mask=fold(mask), bias=fold(bias), scale=1.0, **how)
    out = out.reshape(batch, queries, shared, groups, size).swapaxes(2, 3)
    return out.reshape(batch, queries, heads, size)


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


class Attention(nn.Module):
    """Multi-head attention of tokens to themselves or to a context, with rotary positions where given.

    Order: project, split heads, norm, rotate, scale, dot. `__call__` does everything; decoding calls its
    moves `queries`, `keys_values` and `recall` apart, because keys and values of earlier tokens are kept.

    Attributes:
      width: Numbers a token on the way out.
      num_kv_heads: Heads of keys and values, where several heads of queries share one; else as many.
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
    num_kv_heads: int | None = None
    lora: LoRA | None = None

    def setup(self):
        dense = partial(
            Dense, use_bias=self.use_bias, kernel_init=self.kernel_init, dtype=self.dtype, lora=self.lora
        )
        kv_heads = self.num_heads if self.num_kv_heads is None else self.num_kv_heads
        self.query = dense(self.num_heads * self.head_dim, ("embed", "joined_kv"))
        self.key = dense(kv_heads * self.head_dim, ("embed", "joined_kv"))
        self.value = dense(kv_heads * self.head_dim, ("embed", "joined_kv"))
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
        if context is None:
            context, context_angles = x, angles
        kv = self.keys_values(context, context_angles, deterministic=deterministic)
        q = self.queries(x, angles, deterministic=deterministic)
        return self.read(q, kv, mask=mask, deterministic=deterministic)

    def queries(
        self,
        x: Float[Array, "B Q D"],
        angles: Float[Array, "#B Q half"] | None = None,
        *,
        deterministic: bool = True,
    ) -> Float[Array, "B Q H K"]:
        """Projected, normed and rotated queries; with scaled cosine they carry the learned factor."""
        q = self._split(self.query(x, deterministic=deterministic))
        if self.qk_norm:
            q = self.query_norm(q)
        if self.scaled_cosine:
            factor = jnp.exp(jnp.minimum(self.logit_scale, MAX_LOGIT_SCALE))
            q = _unit(q) * factor[:, None].astype(q.dtype)
        return q if angles is None else rope.rotate(q, angles)

    def keys_values(
        self,
        context: Float[Array, "B L C"],
        angles: Float[Array, "#B L half"] | None = None,
        *,
        deterministic: bool = True,
    ) -> KV:
        """Keys (normed, rotated) and values `{"k", "v"}` of a context: what a cache holds."""
        k = self._split(self.key(context, deterministic=deterministic))
        if self.qk_norm:
            k = self.key_norm(k)
        if self.scaled_cosine:
            k = _unit(k)
        v = self._split(self.value(context, deterministic=deterministic))
        return {"k": k if angles is None else rope.rotate(k, angles), "v": v}

    def read(
        self,
        q: Float[Array, "B Q H K"],
        kv: KV,
        *,
        mask: Bool[Array, "#B #H #Q #L"] | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B Q W"]:
        """Attends and projects out."""
        # One dropped weight a key and head, the same for all queries, is a dropped value.
        v = self.dropout(kv["v"], deterministic=deterministic)
        heads = attend(q, kv["k"], v, mask=mask, scale=self._scale, impl=self.impl)
        return self.out(heads.reshape(*heads.shape[:2], -1), deterministic=deterministic)

    def recall(self, q: Float[Array, "B 1 H K"], *parts: Seen) -> Float[Array, "B 1 W"]:
        """Attends from one token to what is kept, and projects out."""
        heads = kept.attend(q, parts, self._scale)
        return self.out(heads.reshape(*heads.shape[:2], -1))

    @property
    def _scale(self) -> float | None:
        return 1.0 if self.scaled_cosine else None

    def _split(self, x: Float[Array, "B L HK"]) -> Float[Array, "B L H K"]:
        return x.reshape(*x.shape[:2], -1, self.head_dim)


def _unit(x: Float[Array, "*B K"]) -> Float[Array, "*B K"]:
    wide = x.astype(np.promote_types(x.dtype, np.float32))
    return (wide * jax.lax.rsqrt(jnp.sum(jnp.square(wide), axis=-1, keepdims=True) + 1e-12)).astype(x.dtype)
