"""The video transformer of the VideoMAE family: tubelets of a few frames, sines for positions, no class token."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io import errors
from unified_io.encoders import positions
from unified_io.encoders.base import Features
from unified_io.encoders.blocks import BlocksConfig, patchify, run_blocks
from unified_io.encoders.dinov2 import IMAGENET_MEAN, IMAGENET_STD
from unified_io.nn.dense import Dense
from unified_io.nn.norm import LayerNorm


@dataclass(frozen=True, kw_only=True)
class VideoTransformerConfig(BlocksConfig):
    """A VideoMAE encoder. The defaults are VideoMAE-B.

    Attributes:
      tubelet: Frames, rows and columns of pixels that make one token.
      num_frames: Most frames.
      image_size: Pixels a side of a frame. Positions are counted through a whole clip, so other sizes mean other
        places, and are refused.
      final_norm: Whether the blocks end with a norm. What was trained to be pooled has none.
      mean, std: Of pixels in [0, 1]; preprocessing subtracts and divides by them.
    """

    width: int = 768
    num_heads: int = 12
    num_layers: int = 12
    mlp_dim: int = 3072
    epsilon: float = 1e-12
    qkv_bias: str = "no_key"
    tubelet: tuple[int, int, int] = (2, 16, 16)
    num_frames: int = 16
    image_size: int = 224
    final_norm: bool = False
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self):
        super().__post_init__()
        for name in ("tubelet", "mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # gin hands lists over


class VideoTransformer(nn.Module):
    """Frames to tokens of tubelets, and their average as one vector for the clip.

    Source: VideoMAE (Tong et al. 2022), whose family InternVideo's encoder is of.
    """

    config: VideoTransformerConfig = VideoTransformerConfig()

    @nn.compact
    def __call__(self, frames: Float[Array, "B F h w 3"]) -> Features:
        """Encodes clips.

        Args:
          frames: Normalised with the config's `mean` and `std`; as many as the config's or fewer.

        Returns:
          Tokens, all real, in the order time, row, column.

        Raises:
          ConfigError: Too many frames, or a size that is not the config's.
        """
        config = self.config
        count, *size = frames.shape[1:4]
        if count > config.num_frames or size != [config.image_size, config.image_size]:
            raise errors.ConfigError(
                f"clip of {count} frames of {size[0]}x{size[1]}, wanted at most {config.num_frames} of "
                f"{config.image_size}x{config.image_size}; sample and resize it so"
            )
        x = Dense(config.width, ("image_patch", "embed"), use_bias=True, dtype=config.dtype, name="patch")(
            patchify(frames, config.tubelet, "a clip")
        )
        x = x + jnp.asarray(positions.sines(x.shape[1], config.width), x.dtype)
        tokens = run_blocks(config, x, config.num_layers)[-1]
        if config.final_norm:
            tokens = LayerNorm(config.epsilon, dtype=config.dtype, name="norm")(tokens)
        return Features(tokens, jnp.ones(tokens.shape[:2], bool), tokens.mean(axis=1))
