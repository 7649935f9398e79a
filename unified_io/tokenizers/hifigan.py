"""Log-mel spectrograms to sound: the HiFi-GAN generator. Knows neither codes nor how a spectrogram was taken.

Parameter names are those of the released vocoder, with `_` for the dots before numbers.
"""

import dataclasses
import functools
import math

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io.errors import ConfigError, DataError

SLOPE = 0.1
# The last activation was left at PyTorch's default.
LAST_SLOPE = 0.01


@dataclasses.dataclass(frozen=True, kw_only=True)
class HiFiGANConfig:
    """The shape of a generator with residual blocks of type "2"; the defaults are the released vocoder.

    Attributes:
      upsample_rates: Factor on the length, one a stage.
      upsample_kernels: Width of the transposed convolution of every stage; longer than its rate by an even number.
      channels: Width before the first stage; every stage halves it.
      resblock_kernels: Widths of the residual blocks that run side by side in every stage; odd.
      resblock_dilations: For each of them the dilations of its convolutions.
      mels: Mel bands of the spectrogram.
    """

    upsample_rates: tuple[int, ...] = (8, 8, 4)
    upsample_kernels: tuple[int, ...] = (16, 16, 8)
    channels: int = 256
    resblock_kernels: tuple[int, ...] = (3, 5, 7)
    resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 2), (2, 6), (3, 12))
    mels: int = 128

    def __post_init__(self):
        # gin and JSON hand lists over
        for name in ("upsample_rates", "upsample_kernels", "resblock_kernels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "resblock_dilations", tuple(map(tuple, self.resblock_dilations)))
        if len(self.upsample_kernels) != len(self.upsample_rates):
            raise ConfigError(
                f"{len(self.upsample_rates)} upsample_rates but {len(self.upsample_kernels)} upsample_kernels; "
                f"give one of each a stage"
            )
        for rate, kernel in zip(self.upsample_rates, self.upsample_kernels, strict=True):
            if not 1 <= rate <= kernel or (kernel - rate) % 2:
                raise ConfigError(
                    f"a kernel of {kernel} can not lengthen by exactly {rate}; choose {rate} plus an even number"
                )
        if self.channels < 1 or self.channels % 2 ** len(self.upsample_rates):
            raise ConfigError(
                f"channels {self.channels} can not be halved {len(self.upsample_rates)} times; "
                f"use a multiple of {2 ** len(self.upsample_rates)}"
            )
        if not self.resblock_kernels or len(self.resblock_dilations) != len(self.resblock_kernels):
            raise ConfigError(
                f"{len(self.resblock_kernels)} resblock_kernels but {len(self.resblock_dilations)} "
                f"resblock_dilations; give one of each a residual block, and at least one block"
            )
        even = [kernel for kernel in self.resblock_kernels if kernel % 2 == 0]
        if even:
            raise ConfigError(f"resblock_kernels {even} are even and would shift the sound; use odd ones")

    @property
    def total_stride(self) -> int:
        """Samples a frame: the `hop` of the MelConfig it was trained with."""
        return math.prod(self.upsample_rates)


_conv7 = functools.partial(nn.Conv, kernel_size=(7,))


class ResBlock(nn.Module):
    """Dilated convolutions, each beside a shortcut."""

    kernel: int
    dilations: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Float[Array, "B n C"]) -> Float[Array, "B n C"]:
        for i, dilation in enumerate(self.dilations):
            conv = nn.Conv(x.shape[-1], (self.kernel,), kernel_dilation=dilation, name=f"convs_{i}")
            x = x + conv(nn.leaky_relu(x, SLOPE))
        return x


class HiFiGAN(nn.Module):
    """The vocoder.

    Weight norm is only a way to train: here kernels are kernels, and `convert.vocoder` folds what it loads.

    Source: Kong et al. 2020 (HiFi-GAN), section 2.2, the variant V3; the sizes of Unified-IO 2.
    """

    config: HiFiGANConfig = HiFiGANConfig()

    @nn.compact
    def __call__(self, log_mel: Float[Array, "B frames mels"]) -> Float[Array, "B samples"]:
        """Turns natural-log mel spectrograms into sound in (-1, 1), `total_stride` samples a frame.

        Raises:
          DataError: The spectrograms have other bands than the config.
        """
        config = self.config
        if log_mel.ndim != 3 or log_mel.shape[-1] != config.mels:
            raise DataError(
                f"log-mels are {log_mel.shape} but the vocoder takes [B, frames, {config.mels}]; "
                f"give natural logs of as many bands, frames before bands"
            )
        x = _conv7(config.channels, name="conv_pre")(log_mel)
        blocks = list(zip(config.resblock_kernels, config.resblock_dilations, strict=True))
        for stage, rate in enumerate(config.upsample_rates):
            x = self._lengthen(nn.leaky_relu(x, SLOPE), stage, rate, config.upsample_kernels[stage])
            branches = [
                ResBlock(*block, name=f"resblocks_{stage * len(blocks) + i}")(x)
                for i, block in enumerate(blocks)
            ]
            x = sum(branches[1:], branches[0]) / len(branches)
        return jnp.tanh(_conv7(1, name="conv_post")(nn.leaky_relu(x, LAST_SLOPE)))[..., 0]

    def _lengthen(self, x: Float[Array, "B n C"], stage: int, rate: int, kernel: int) -> Array:
        # PyTorch cuts (kernel - rate) / 2 samples off both ends; here they are never padded on.
        padding = kernel - 1 - (kernel - rate) // 2
        conv = nn.ConvTranspose(
            x.shape[-1] // 2, (kernel,), (rate,), padding=((padding, padding),), name=f"ups_{stage}"
        )
        return conv(x)
