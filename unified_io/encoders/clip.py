"""The image ViT of CLIP, OpenCLIP and EVA-CLIP, one by configuration. Who reads its tokens is not known here.

`vit.py` is Unified-IO 2's own: fewer blocks, any subset of the patches, two features.
"""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io import errors
from unified_io.encoders import positions
from unified_io.encoders.base import Features
from unified_io.encoders.blocks import BlocksConfig, learned, patchify, run_blocks
from unified_io.nn.dense import Dense
from unified_io.nn.norm import LayerNorm

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True, kw_only=True)
class ClipConfig(BlocksConfig):
    """An image ViT, and which of its features are given. The defaults are CLIP ViT-L/14.

    Attributes:
      patch: Pixels a side of a patch.
      grid: Patches a side that the position table has; others are resized to.
      patch_bias: Whether the patch projection has a bias.
      pre_norm: A norm before the first block.
      layer: The hidden state whose tokens are given, counted as in Hugging Face: 0 goes into the first block, k comes
        out of the k-th, -1 is the last, -2 the one before. Blocks behind it are built only for `pooled`.
      keep_class: Give the class token too, as the first.
      final_norm: Give the tokens through the norm that follows the last block.
      pooled: Give the class token of the last block through the final norm, and the projection where there is one.
      projection_dim: Numbers of `pooled` that a matrix makes of it; None leaves it as it is.
      mean, std: Of pixels in [0, 1]; preprocessing subtracts and divides by them.
    """

    width: int = 1024
    num_heads: int = 16
    num_layers: int = 24
    mlp_dim: int = 4096
    activation: str = "quick_gelu"
    epsilon: float = 1e-5
    patch: int = 14
    grid: int = 16
    patch_bias: bool = False
    pre_norm: bool = True
    layer: int = -1
    keep_class: bool = True
    final_norm: bool = False
    pooled: bool = False
    projection_dim: int | None = None
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "mean", tuple(self.mean))  # gin hands lists over
        object.__setattr__(self, "std", tuple(self.std))
        states = self.num_layers + 1
        if not -states <= self.layer < states:
            raise errors.ConfigError(
                f"layer is {self.layer} but hidden states are {-states} to {states - 1}: what goes into the first "
                f"block and what comes out of each of {self.num_layers}"
            )
        if self.projection_dim and not self.pooled:
            raise errors.ConfigError(
                "projection_dim is of the pooled vector; set pooled=True, or projection_dim=None"
            )

    @property
    def state(self) -> int:
        """Index of the hidden state that is given, counted from 0."""
        return self.layer % (self.num_layers + 1)

    @property
    def num_built(self) -> int:
        """Blocks that have parameters: those the features need."""
        return self.num_layers if self.pooled else self.state


EVA_G = ClipConfig(
    width=1408,
    num_layers=39,
    mlp_dim=6144,
    activation="gelu",
    epsilon=1e-6,
    qkv_bias="no_key",
    patch_bias=True,
    pre_norm=False,
)
"""EVA-CLIP ViT-g/14 without its 40th block and final norm, as X-InstructBLIP and Lynx read it."""


class ClipVit(nn.Module):
    """Pixels to patch tokens, and the class token as one vector for the image.

    Source: CLIP (Radford et al. 2021), OpenCLIP, EVA-CLIP (Sun et al. 2023) and DINOv2 (Oquab et al. 2023).
    """

    config: ClipConfig = ClipConfig()

    @nn.compact
    def __call__(self, pixels: Float[Array, "B h w 3"]) -> Features:
        """Encodes images of any size that is a multiple of the patch.

        Args:
          pixels: Normalised with the config's `mean` and `std`.

        Returns:
          Tokens, all real, row-major; with the class token in front if the config keeps it.

        Raises:
          ConfigError: The size is no multiple of the patch.
        """
        config = self.config
        x = Dense(
            config.width,
            ("image_patch", "embed"),
            use_bias=config.patch_bias,
            dtype=config.dtype,
            name="patch",
        )(patchify(pixels, (config.patch, config.patch), "an image"))
        grid = (config.grid, config.grid)
        table = learned(self, "positions", 1 + config.grid**2, config.width)
        new_grid = (pixels.shape[1] // config.patch, pixels.shape[2] // config.patch)
        x = x + positions.resize(table[1:], grid, new_grid).astype(x.dtype)
        first = (learned(self, "class_token", config.width) + table[0]).astype(x.dtype)
        first = jnp.broadcast_to(first, (x.shape[0], 1, config.width))
        x = jnp.concatenate([first, x], axis=1)
        if config.pre_norm:
            x = LayerNorm(config.epsilon, dtype=config.dtype, name="pre_norm")(x)
        states = run_blocks(config, x, config.num_built)
        tokens, pooled = states[config.state], None
        if config.final_norm or config.pooled:
            norm = LayerNorm(config.epsilon, dtype=config.dtype, name="norm")
            tokens = norm(tokens) if config.final_norm else tokens
            pooled = norm(states[-1][:, 0]) if config.pooled else None
        if config.projection_dim:
            pooled = Dense(
                config.projection_dim, ("embed", "joined_kv"), dtype=config.dtype, name="projection"
            )(pooled)
        tokens = tokens if config.keep_class else tokens[:, 1:]
        return Features(tokens, jnp.ones(tokens.shape[:2], bool), pooled)
