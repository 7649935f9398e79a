"""The audio spectrogram transformer (AST): a ViT over patches of a mel spectrogram."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.encoders.vit import BlockStyle, Transformer, VitConfig, learned_tokens, prepend
from unified_io.nn.dense import GLOROT_UNIFORM, Dense

AST_STYLE = BlockStyle(1e-6, "gelu_tanh", ("norm1", "norm2"), ("fc1", "fc2"))


@dataclass(frozen=True, kw_only=True)
class AstConfig(VitConfig):
    """An AST; the defaults are the released one.

    Attributes:
      grid: Patches in time and in mel of the largest spectrogram.
      num_positions: Rows of the position table beside those of the two extra tokens; the released table has
        more than are used.
    """

    grid: tuple[int, int] = (16, 8)
    num_positions: int = 512

    def __post_init__(self):
        super().__post_init__()
        if self.grid[0] * self.grid[1] > self.num_positions:
            raise errors.ConfigError(
                f"a grid of {self.grid} does not fit into num_positions {self.num_positions}"
            )


def table_rows(positions: Int[Array, "*B"], grid: tuple[int, int]) -> Int[Array, "*B"]:
    """Turns time-major patch indices of `grid` (time, mel) into rows of the mel-major position table.

    Example, grid (3, 2): patches 0 1 2 3 4 5 are rows 0 3 1 4 2 5.
    """
    time, mel = positions // grid[1], positions % grid[1]
    return mel * grid[0] + time


class AudioSpectrogramTransformer(nn.Module):
    """Spectrogram patches to two features a patch; called like `Vit`.

    Source: AST (Gong et al. 2021) as Unified-IO 2 uses it; the released model maps patch (t, f) to row
    f * 16 + t of a table that was made for longer sounds.
    """

    config: AstConfig = AstConfig()

    @nn.compact
    def __call__(
        self,
        patches: Float[Array, "B P C"],
        mask: Bool[Array, "B P"],
        positions: Int[Array, "B P"],
        grid: tuple[int, int],
    ) -> tuple[Float[Array, "B P W"], Float[Array, "B P W"]]:
        """Encodes any subset of a spectrogram's patches, in any order.

        Args:
          mask: True = a real patch. Others change nothing, and what comes out in their place means nothing.
          positions: Time-major index of each patch. As released, it is split by the config's grid: a spectrogram of
            fewer mel bands is placed as if it had all of them.
          grid: Patches in time and in mel of the whole spectrogram, at most those of the config.

        Returns:
          The output of the last block and of the block `second_feature`, neither normed.

        Raises:
          ConfigError: The grid is larger than the position table's.
        """
        config = self.config
        if grid[0] > config.grid[0] or grid[1] > config.grid[1]:
            raise errors.ConfigError(
                f"spectrogram of {grid} patches, but positions reach {config.grid}; enlarge grid"
            )
        table = learned_tokens(self, "pos_embed", 2 + config.num_positions, config.width)
        class_token = learned_tokens(self, "cls_token", config.width)
        distillation_token = learned_tokens(self, "dist_token", config.width)
        x = Dense(
            config.width,
            ("image_patch", "embed"),
            use_bias=True,
            kernel_init=GLOROT_UNIFORM,
            dtype=config.dtype,
            name="embedding",
        )(patches)
        x = x + table.astype(x.dtype)[2 + table_rows(positions, config.grid)]
        x = prepend(jnp.stack([class_token, distillation_token]) + table[:2], x)
        mask = jnp.pad(mask, ((0, 0), (2, 0)), constant_values=True)
        last, second = Transformer(config, AST_STYLE, name="Transformer_0")(x, mask)
        return last[:, 2:], second[:, 2:]
