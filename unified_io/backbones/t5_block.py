"""What T5 is made of: blocks without scale and bias, and a number a distance. For running, so without dropout."""

import math
from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.nn import kept
from unified_io.nn.attention import attend
from unified_io.nn.dense import FAN_IN_NORMAL, Dense
from unified_io.nn.kept import KV, Kept, Seen
from unified_io.nn.mlp import ACTIVATIONS, activation
from unified_io.nn.norm import RMSNorm
from unified_io.nn.parameter import parameter


@dataclass(frozen=True, kw_only=True)
class T5Config:
    """A T5. The defaults are Flan-T5-XXL's, which X-InstructBLIP augments captions with.

    Attributes:
      gated: The MLP is `(activation(x wi_0) * (x wi_1)) wo`, since T5 v1.1; else `activation(x wi) wo`.
      buckets: Of distances between tokens; half of them are for one distance each, the rest widen up to
        `max_distance`.
      own_head: Logits have a matrix of their own, not the table of embeddings.
      scale_logits: Hidden states are divided by sqrt(width) before the head, as in T5 before v1.1.
      dtype: Compute dtype; logits are float32.
    """

    vocab_size: int = 32128
    width: int = 4096
    num_heads: int = 64
    head_dim: int = 64
    num_encoder_layers: int = 24
    num_decoder_layers: int = 24
    mlp_dim: int = 10240
    gated: bool = True
    activation: str = "gelu_tanh"
    buckets: int = 32
    max_distance: int = 128
    own_head: bool = True
    scale_logits: bool = False
    epsilon: float = 1e-6
    dtype: str = "float32"

    def __post_init__(self):
        if self.activation not in ACTIVATIONS:
            raise errors.unknown("activation", self.activation, ACTIVATIONS)

    def make_norm(self) -> RMSNorm:
        """Makes a norm of either stack."""
        return RMSNorm(self.epsilon, dtype=self.dtype)

    def make_dense(self, features: int, *axes: str) -> Dense:
        """Makes a matrix of either stack."""
        return Dense(features, axes, kernel_init=FAN_IN_NORMAL, dtype=self.dtype)


def bucket(
    distance: Int[Array, "*B"], buckets: int, max_distance: int, *, two_sided: bool
) -> Int[Array, "*B"]:
    """Returns which bucket the distance from a query to a key (key - query) falls into.

        8 buckets, max_distance 16, two-sided
        distance  -16 -6 -5 -2 -1  0  1  2  5  6 16
        bucket      3  3  2  2  1  0  5  6  6  7  7

    Args:
      two_sided: Later keys have buckets of their own, the second half; else they share bucket 0.
    """
    side = buckets // 2 if two_sided else buckets
    apart = jnp.abs(distance) if two_sided else jnp.maximum(-distance, 0)
    single = side // 2
    steps = jnp.log(jnp.maximum(apart, 1) / single) / math.log(max_distance / single)
    wide = jnp.minimum(single + (steps * (side - single)).astype(jnp.int32), side - 1)
    found = jnp.where(apart < single, apart, wide)
    return found + side * (distance > 0) if two_sided else found


class RelativeBias(nn.Module):
    """One number a head and bucket of distance, added to the logits of attention in every layer of a stack."""

    config: T5Config
    two_sided: bool

    @nn.compact
    def __call__(self, queries: Int[Array, " Q"], keys: Int[Array, " L"]) -> Float[Array, "1 H Q L"]:
        config = self.config
        shape = (config.buckets, config.num_heads)
        table = parameter(self, "table", nn.initializers.normal(0.05), shape, ("relpos_buckets", "heads"))
        distance = keys[None, :] - queries[:, None]
        found = bucket(distance, config.buckets, config.max_distance, two_sided=self.two_sided)
        return jnp.take(table, found, axis=0).transpose(2, 0, 1)[None]


class T5Attention(nn.Module):
    """Attention without a scale; what it adds to its logits is given."""

    config: T5Config

    def setup(self):
        joined = self.config.num_heads * self.config.head_dim
        self.query = self.config.make_dense(joined, "embed", "joined_kv")
        self.key = self.config.make_dense(joined, "embed", "joined_kv")
        self.value = self.config.make_dense(joined, "embed", "joined_kv")
        self.out = self.config.make_dense(self.config.width, "joined_kv", "embed")

    def keys_values(self, context: Float[Array, "B L D"]) -> KV:
        """Keys and values of a context: what a cache holds."""
        return {"k": self._split(self.key(context)), "v": self._split(self.value(context))}

    def __call__(
        self,
        x: Float[Array, "B Q D"],
        kv: KV,
        *,
        mask: Bool[Array, "#B 1 #Q L"],
        bias: Float[Array, "1 H Q L"] | None = None,
    ) -> Float[Array, "B Q D"]:
        """Attends to keys and values that `keys_values` made."""
        heads = attend(self._split(self.query(x)), kv["k"], kv["v"], mask=mask, bias=bias, scale=1.0)
        return self.out(heads.reshape(*x.shape[:2], -1))

    def recall(self, y: Float[Array, "B 1 D"], part: Seen) -> Float[Array, "B 1 D"]:
        """Attends from one token to what is kept."""
        heads = kept.attend(self._split(self.query(y)), [part], scale=1.0)
        return self.out(heads.reshape(*y.shape[:2], -1))

    def _split(self, x: Float[Array, "B L HK"]) -> Float[Array, "B L H K"]:
        return x.reshape(*x.shape[:2], self.config.num_heads, self.config.head_dim)


class T5Mlp(nn.Module):
    """The feed-forward part, gated or not."""

    config: T5Config

    def setup(self):
        config = self.config
        for name in ("wi_0", "wi_1") if config.gated else ("wi",):
            setattr(self, name, config.make_dense(config.mlp_dim, "embed", "mlp"))
        self.wo = config.make_dense(config.width, "mlp", "embed")

    def __call__(self, x: Float[Array, "B L D"]) -> Float[Array, "B L D"]:
        act = activation(self.config.activation)
        return self.wo(act(self.wi_0(x)) * self.wi_1(x) if self.config.gated else act(self.wi(x)))


class T5Block(nn.Module):
    """`x += attention(norm(x)); x += attention(norm(x), encoded); x += mlp(norm(x))`; an encoder's has no second."""

    config: T5Config
    decodes: bool

    def setup(self):
        config = self.config
        self.attention_norm, self.attention = config.make_norm(), T5Attention(config)
        if self.decodes:
            self.crossattention_norm, self.crossattention = config.make_norm(), T5Attention(config)
        self.mlp_norm, self.mlp = config.make_norm(), T5Mlp(config)

    def __call__(
        self,
        x: Float[Array, "B L D"],
        encoded: Float[Array, "B S D"] | None = None,
        *,
        mask: Bool[Array, "#B 1 #L L"],
        bias: Float[Array, "1 H L L"],
        cross_mask: Bool[Array, "B 1 1 S"] | None = None,
    ) -> Float[Array, "B L D"]:
        h = self.attention_norm(x)
        x = x + self.attention(h, self.attention.keys_values(h), mask=mask, bias=bias)
        if self.decodes:
            kv = self.crossattention.keys_values(encoded)
            x = x + self.crossattention(self.crossattention_norm(x), kv, mask=cross_mask)
        return x + self.mlp(self.mlp_norm(x))

    def keep(self, encoded: Float[Array, "B S D"]) -> Kept:
        """Returns keys and values of the encoded tokens, as they are kept."""
        return kept.keep(self.crossattention.keys_values(encoded))

    def step(
        self,
        y: Float[Array, "B 1 D"],
        own: Kept,
        index: Int[Array, ""],
        *,
        mask: Bool[Array, "1 1 1 L"],
        bias: Float[Array, "1 H 1 L"],
        encoded: Seen,
    ) -> tuple[Float[Array, "B 1 D"], Kept]:
        """Runs one token; returns its hidden state, and what is kept of it and those before it.

        Args:
          own: What is kept of the tokens before it.
          index: Its place among them.
          mask: Which of them, itself included, it may look at.
          bias: Added to the logits of these.
          encoded: What is kept of the prompt.
        """
        h = self.attention_norm(y)
        own = kept.write(own, self.attention.keys_values(h), index)
        y = y + self.attention.recall(h, kept.seen(own, mask, bias))
        y = y + self.crossattention.recall(self.crossattention_norm(y), encoded)
        return y + self.mlp(self.mlp_norm(y)), own
