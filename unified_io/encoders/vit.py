"""The image ViT, and the transformer with biases it shares with the AST. Who freezes it is not known here."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.nn.attention import Attention
from unified_io.nn.dense import GLOROT_UNIFORM, Dense
from unified_io.nn.mlp import Mlp
from unified_io.nn.norm import LayerNorm
from unified_io.nn.parameter import parameter


@dataclass(frozen=True, kw_only=True)
class VitConfig:
    """A vision transformer. The defaults are the released ViT: CLIP ViT-B/16 without its last block.

    Attributes:
      grid: Rows and columns of the position table.
      second_feature: Index of the block whose output is returned beside the last.
      dtype: Compute dtype.
    """

    width: int = 768
    num_heads: int = 12
    num_layers: int = 11
    mlp_dim: int = 3072
    grid: tuple[int, int] = (14, 14)
    second_feature: int = 1
    dtype: str = "float32"

    def __post_init__(self):
        object.__setattr__(self, "grid", tuple(self.grid))  # gin hands lists over
        if self.width % self.num_heads:
            raise errors.ConfigError(f"width {self.width} must be a multiple of num_heads {self.num_heads}")
        if not 0 <= self.second_feature < self.num_layers:
            raise errors.ConfigError(
                f"second_feature is block {self.second_feature} but the blocks are 0 to {self.num_layers - 1}"
            )


@dataclass(frozen=True)
class BlockStyle:
    """What differs between the blocks of ViT and AST: numbers, and names in the released parameter trees."""

    epsilon: float
    activation: str
    norm_names: tuple[str, str]
    mlp_names: tuple[str, str]


CLIP_STYLE = BlockStyle(1e-5, "gelu", ("ln_1", "ln_2"), ("c_fc", "c_proj"))


class ResidualAttentionBlock(nn.Module):
    """`x += attention(norm(x)); x += mlp(norm(x))`, with biases everywhere."""

    num_heads: int
    mlp_dim: int
    style: BlockStyle
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B L W"], mask: Bool[Array, "B 1 1 L"]) -> Float[Array, "B L W"]:
        width = x.shape[-1]
        first, second = (
            LayerNorm(self.style.epsilon, dtype=self.dtype, name=name) for name in self.style.norm_names
        )
        attention = Attention(
            width,
            self.num_heads,
            width // self.num_heads,
            use_bias=True,
            kernel_init=GLOROT_UNIFORM,
            dtype=self.dtype,
            name="MultiHeadDotProductAttention_0",
        )
        mlp = Mlp(
            self.mlp_dim,
            self.style.activation,
            use_bias=True,
            names=self.style.mlp_names,
            kernel_init=GLOROT_UNIFORM,
            dtype=self.dtype,
            name="MLP_0",
        )
        x = x + attention(first(x), mask=mask)
        return x + mlp(second(x))


class Transformer(nn.Module):
    """Blocks one after another; returns what comes out of the last and of the block `second_feature`."""

    config: VitConfig
    style: BlockStyle

    @nn.compact
    def __call__(
        self, x: Float[Array, "B L W"], mask: Bool[Array, "B L"]
    ) -> tuple[Float[Array, "B L W"], Float[Array, "B L W"]]:
        config = self.config
        second = x
        for i in range(config.num_layers):
            block = ResidualAttentionBlock(
                config.num_heads, config.mlp_dim, self.style, config.dtype, name=f"ResidualAttentionBlock_{i}"
            )
            x = block(x, mask[:, None, None, :])
            if i == config.second_feature:
                second = x
        return x, second


def learned_tokens(module: nn.Module, name: str, *shape: int) -> Float[Array, "..."]:
    """A learned vector or table of vectors, drawn from N(0, 1 / width)."""
    axes = ("abspos_buckets", "embed")[-len(shape) :]
    return parameter(module, name, nn.initializers.normal(shape[-1] ** -0.5), shape, axes)


def prepend(tokens: Float[Array, "N W"], x: Float[Array, "B P W"]) -> Float[Array, "B N+P W"]:
    """Puts the same tokens in front of every row."""
    front = jnp.broadcast_to(tokens.astype(x.dtype), (x.shape[0], *tokens.shape))
    return jnp.concatenate([front, x], axis=1)


def resize_positions(
    table: Float[Array, "G W"], grid: tuple[int, int], new_grid: tuple[int, int]
) -> Float[Array, "P W"]:
    """Resizes a row-major position table from `grid` to `new_grid`: bicubic, anti-aliased when it shrinks."""
    if grid == new_grid:
        return table
    width = table.shape[-1]
    return jax.image.resize(table.reshape(*grid, width), (*new_grid, width), "bicubic").reshape(-1, width)


class Vit(nn.Module):
    """Image patches to two features a patch.

    Source: CLIP ViT-B/16 as Unified-IO 2 uses it: without the last block and the norm after it.
    """

    config: VitConfig = VitConfig()

    @nn.compact
    def __call__(
        self,
        patches: Float[Array, "B P C"],
        mask: Bool[Array, "B P"],
        positions: Int[Array, "B P"],
        grid: tuple[int, int],
    ) -> tuple[Float[Array, "B P W"], Float[Array, "B P W"]]:
        """Encodes any subset of an image's patches, in any order.

        Args:
          mask: True = a real patch. Others change nothing, and what comes out in their place means nothing.
          positions: Row-major index of each patch in `grid`.
          grid: Rows and columns of patches of the whole image.

        Returns:
          The output of the last block and of the block `second_feature`, neither normed.
        """
        config = self.config
        table = learned_tokens(
            self, "positional_embedding", 1 + config.grid[0] * config.grid[1], config.width
        )
        class_token = learned_tokens(self, "class_embedding", config.width) + table[0]
        x = Dense(
            config.width,
            ("image_patch", "embed"),
            kernel_init=GLOROT_UNIFORM,
            dtype=config.dtype,
            name="embedding",
        )(patches)
        x = x + resize_positions(table[1:], config.grid, grid).astype(x.dtype)[positions]
        x = LayerNorm(CLIP_STYLE.epsilon, dtype=config.dtype, name="pre_ln")(prepend(class_token[None], x))
        mask = jnp.pad(mask, ((0, 0), (1, 0)), constant_values=True)
        last, second = Transformer(config, CLIP_STYLE, name="Transformer_0")(x, mask)
        return last[:, 1:], second[:, 1:]
