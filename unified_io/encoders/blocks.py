"""Pre-LN transformer blocks of encoders that others trained: one block, told by its config how it differs.

Knows no medium, and neither masks nor dropout: what it reads is whole, and others trained it.
"""

import math
from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from unified_io import errors
from unified_io.nn import mlp
from unified_io.nn.attention import attend
from unified_io.nn.dense import Dense
from unified_io.nn.norm import LayerNorm
from unified_io.nn.parameter import parameter

ACTIVATIONS = (*mlp.ACTIVATIONS, "quick_gelu", "swiglu")
QKV_BIASES = ("all", "no_key", "none")
REMAT = ("none", "full")


@dataclass(frozen=True, kw_only=True)
class BlocksConfig:
    """Blocks one after another.

    Attributes:
      mlp_dim: Hidden units; with "swiglu" those behind the gate.
      activation: Of the MLP. "quick_gelu" is `x sigmoid(1.702 x)`; "swiglu" is `silu(gate) value`.
      epsilon: Of all norms.
      qkv_bias: Which of queries, keys and values have a bias. One on the keys shifts all logits of a query alike, so
        it changes nothing; some checkpoints have it.
      layer_scale: A learned factor a channel on what each half of a block adds.
      remat: "full" recomputes each block on the way back, "none" keeps everything.
      dtype: Compute dtype.
    """

    width: int
    num_heads: int
    num_layers: int
    mlp_dim: int
    activation: str = "gelu"
    epsilon: float = 1e-6
    qkv_bias: str = "all"
    layer_scale: bool = False
    remat: str = "none"
    dtype: str = "float32"

    def __post_init__(self):
        if self.width % self.num_heads:
            raise errors.ConfigError(f"width {self.width} must be a multiple of num_heads {self.num_heads}")
        for kind, name, valid in (
            ("activation", self.activation, ACTIVATIONS),
            ("qkv_bias", self.qkv_bias, QKV_BIASES),
            ("remat", self.remat, REMAT),
        ):
            if name not in valid:
                raise errors.unknown(kind, name, valid)


class SelfAttention(nn.Module):
    """Every token looks at every token."""

    config: BlocksConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B L W"]) -> Float[Array, "B L W"]:
        config = self.config

        def heads(name: str, use_bias: bool) -> Float[Array, "B L H K"]:
            joined = Dense(
                config.width, ("embed", "joined_kv"), use_bias=use_bias, dtype=config.dtype, name=name
            )(x)
            return joined.reshape(*x.shape[:2], config.num_heads, -1)

        q = heads("query", config.qkv_bias != "none")
        k = heads("key", config.qkv_bias == "all")
        v = heads("value", config.qkv_bias != "none")
        out = Dense(config.width, ("joined_kv", "embed"), use_bias=True, dtype=config.dtype, name="out")
        return out(attend(q, k, v).reshape(x.shape))


class FeedForward(nn.Module):
    """`activation(x wi) wo`, or gated `(silu(x wi_0) * (x wi_1)) wo`, with biases."""

    config: BlocksConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B L W"]) -> Float[Array, "B L W"]:
        config = self.config
        dense = partial(Dense, use_bias=True, dtype=config.dtype)
        inner = partial(dense, config.mlp_dim, ("embed", "mlp"))
        if config.activation == "swiglu":
            hidden = jax.nn.silu(inner(name="wi_0")(x)) * inner(name="wi_1")(x)
        elif config.activation == "quick_gelu":
            hidden = inner(name="wi")(x)
            hidden = hidden * jax.nn.sigmoid(1.702 * hidden)
        else:
            hidden = mlp.activation(config.activation)(inner(name="wi")(x))
        return dense(x.shape[-1], ("mlp", "embed"), name="wo")(hidden)


class Block(nn.Module):
    """`x += attention(norm(x)); x += mlp(norm(x))`, each scaled a channel where the config says so."""

    config: BlocksConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B L W"]) -> Float[Array, "B L W"]:
        config = self.config
        for name, part in (("attention", SelfAttention), ("mlp", FeedForward)):
            h = LayerNorm(config.epsilon, dtype=config.dtype, name=f"{name}_norm")(x)
            h = part(config, name=name)(h)
            if config.layer_scale:
                scale = parameter(self, f"{name}_scale", nn.initializers.ones, x.shape[-1:], ("embed",))
                h = h * scale.astype(h.dtype)
            x = x + h
        return x


def run_blocks(
    config: BlocksConfig,
    x: Float[Array, "B L W"],
    count: int,
    positions: Float[Array, "#B L W"] | None = None,
) -> list[Float[Array, "B L W"]]:
    """Runs the first `count` blocks as parts `blocks_0`, `blocks_1` ... of the module that calls.

    Args:
      positions: Added at the entrance of every block.

    Returns:
      What goes into the first block, then what comes out of each.
    """
    kind = nn.remat(Block) if config.remat == "full" else Block
    states = [x]
    for i in range(count):
        entering = states[-1] if positions is None else states[-1] + positions
        states.append(kind(config, name=f"blocks_{i}")(entering))
    return states


def learned(module: nn.Module, name: str, *shape: int) -> Float[Array, "..."]:
    """A learned token or table of positions."""
    axes = ("abspos_buckets", "embed")[-len(shape) :]
    return parameter(module, name, nn.initializers.truncated_normal(0.02), shape, axes)


def patchify(x: Float[Array, "B *size 3"], patch: tuple[int, ...], what: str) -> Float[Array, "B P C"]:
    """Cuts pixels in patches, row-major in both the order of patches and of the numbers in each.

    Args:
      patch: Pixels along each axis of `x` but the first and last.
      what: What to call `x` in an error.

    Raises:
      ConfigError: A side is no multiple of the patch's.
    """
    size = x.shape[1:-1]
    if any(side % part for side, part in zip(size, patch, strict=True)):
        raise errors.ConfigError(
            f"{what} is {'x'.join(map(str, size))} but a patch is {'x'.join(map(str, patch))}; "
            "resize to a multiple"
        )
    split = [n for side, part in zip(size, patch, strict=True) for n in (side // part, part)]
    axes = len(size)
    counts, inside = range(1, 2 * axes, 2), range(2, 2 * axes + 1, 2)
    x = x.reshape(x.shape[0], *split, 3).transpose(0, *counts, *inside, 2 * axes + 1)
    return x.reshape(x.shape[0], -1, 3 * math.prod(patch))
