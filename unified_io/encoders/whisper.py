"""The encoder of Whisper: half a minute of sound as a log-mel spectrogram to one token every 20 ms."""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from unified_io import errors
from unified_io.encoders.base import Features
from unified_io.encoders.blocks import BlocksConfig, run_blocks
from unified_io.encoders.convolution import Convolution
from unified_io.nn.norm import LayerNorm
from unified_io.nn.parameter import parameter

_EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class WhisperConfig:
    """A Whisper encoder. The defaults are those of large-v2.

    Attributes:
      num_positions: Tokens that come out; a spectrogram has twice as many frames.
      dtype: Compute dtype.
    """

    mels: int = 80
    width: int = 1280
    num_heads: int = 20
    num_layers: int = 32
    mlp_dim: int = 5120
    num_positions: int = 1500
    dtype: str = "float32"

    def __post_init__(self):
        _ = self.blocks  # which has checks of its own
        if self.width % 2 or self.width < 4:
            raise errors.ConfigError(
                f"width {self.width} must be even and at least 4: half of the numbers of a position are sines"
            )

    @property
    def blocks(self) -> BlocksConfig:
        """The transformer: the keys have no bias, where one would change nothing."""
        return BlocksConfig(
            width=self.width,
            num_heads=self.num_heads,
            num_layers=self.num_layers,
            mlp_dim=self.mlp_dim,
            epsilon=_EPSILON,
            qkv_bias="no_key",
            dtype=self.dtype,
        )


def sinusoids(length: int, width: int) -> Float[np.ndarray, "length width"]:
    """Returns sines, then cosines, of wavelengths from 2 pi to 10,000 times that."""
    rates = np.exp(-np.log(10_000.0) * np.arange(width // 2) / (width // 2 - 1))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


class Whisper(nn.Module):
    """Log-mel spectrograms to tokens; there is no pooled vector.

    Silence is padded as the log-mel of zeros and read like sound, as in training, so every token is a real one.

    Source: Radford et al. 2022, section 2.2.
    """

    config: WhisperConfig = WhisperConfig()

    @nn.compact
    def __call__(self, mel: Float[Array, "B T M"]) -> Features:
        """Encodes spectrograms as `preprocess.log_mels.whisper` takes them.

        Raises:
          ConfigError: A spectrogram has another number of frames or of mel bands than the config.
        """
        config = self.config
        wanted = (2 * config.num_positions, config.mels)
        if mel.shape[1:] != wanted:
            raise errors.ConfigError(
                f"spectrogram of {mel.shape[1:]} frames and mel bands, wanted {wanted}; "
                "take it with preprocess.log_mels.whisper"
            )
        conv = partial(Convolution, config.width, (3,), padding=1, use_bias=True, dtype=config.dtype)
        x = jax.nn.gelu(conv(name="conv_1")(mel), approximate=False)
        x = jax.nn.gelu(conv(stride=2, name="conv_2")(x), approximate=False)
        positions = parameter(
            self,
            "positions",
            lambda key, shape, dtype: jnp.asarray(sinusoids(*shape), dtype),
            (config.num_positions, config.width),
            ("abspos_buckets", "embed"),
        )
        x = x + positions.astype(x.dtype)
        last = run_blocks(config.blocks, x, config.num_layers)[-1]
        tokens = LayerNorm(_EPSILON, dtype=config.dtype, name="norm")(last)
        return Features(tokens, jnp.ones(tokens.shape[:2], bool))
