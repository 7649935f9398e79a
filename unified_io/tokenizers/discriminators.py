"""Networks that tell real pictures, spectrograms and sounds from made ones. They know no tokenizer and no loss."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io.errors import ConfigError

_SLOPE = 0.2
_SOUND_SLOPE = 0.1
_FLAT = 1e-3  # of a variance: a picture of one colour has none, and would else get gradients without bound


class Verdict(NamedTuple):
    """What a discriminator says.

    Attributes:
      logits: One array a judge, [B, ...]: above 0 it holds a place for real.
      features: What each layer of each judge saw, for feature matching.
    """

    logits: tuple[Array, ...]
    features: tuple[Array, ...]


@dataclasses.dataclass(frozen=True)
class PatchConfig:
    """The shape of a discriminator of patches; the defaults judge patches of 70 pixels.

    Attributes:
      channels: Width of the first layer; each further one is twice as wide, up to eight times.
      layers: Layers that halve the sides.
      groups: Groups of the group norms.
    """

    channels: int = 64
    layers: int = 3
    groups: int = 32

    def __post_init__(self):
        if self.layers < 1 or self.channels % self.groups:
            raise ConfigError(
                f"{self.layers} layers from {self.channels} channels in {self.groups} groups; give at least one layer, "
                "and channels that are a multiple of groups"
            )

    def build(self) -> "PatchDiscriminator":
        """Returns the discriminator."""
        return PatchDiscriminator(self)


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches of pictures or spectrograms.

    Its norms are those of groups, not of batches: a step needs no second state, and small batches are as good.

    Source: Isola et al. 2017 (pix2pix), as used in Esser et al. 2021.
    """

    config: PatchConfig

    @nn.compact
    def __call__(self, media: Float[Array, "B h w C"]) -> Verdict:
        config, features = self.config, []
        x = nn.leaky_relu(_conv4(config.channels, 2, "conv_0")(media), _SLOPE)
        features.append(x)
        for layer in range(1, config.layers + 1):
            stride = 2 if layer < config.layers else 1
            x = _conv4(config.channels * min(2**layer, 8), stride, f"conv_{layer}")(x)
            norm = nn.GroupNorm(config.groups, epsilon=_FLAT, name=f"norm_{layer}")
            x = nn.leaky_relu(norm(x), _SLOPE)
            features.append(x)
        return Verdict((_conv4(1, 1, "conv_out")(x),), tuple(features))


@dataclasses.dataclass(frozen=True)
class SoundConfig:
    """The shape of HiFi-GAN's discriminators; the defaults are those of the paper.

    Attributes:
      periods: One judge of every period sees the sound folded so many samples wide.
      period_channels: Widths of its layers; all but the last take every third row.
      scales: Judges of the sound itself, each at half the rate of the one before.
      scale_layers: (channels, kernel, stride, groups) of their layers.
    """

    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    period_channels: tuple[int, ...] = (32, 128, 512, 1024, 1024)
    scales: int = 3
    scale_layers: tuple[tuple[int, int, int, int], ...] = (
        (128, 15, 1, 1),
        (128, 41, 2, 4),
        (256, 41, 2, 16),
        (512, 41, 4, 16),
        (1024, 41, 4, 16),
        (1024, 41, 1, 16),
        (1024, 5, 1, 1),
    )

    def __post_init__(self):
        # gin and JSON hand lists over
        for name in ("periods", "period_channels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "scale_layers", tuple(map(tuple, self.scale_layers)))
        if not self.periods and self.scales < 1:
            raise ConfigError("nobody judges the sound; give periods or scales")

    def build(self) -> "SoundDiscriminator":
        """Returns the discriminator."""
        return SoundDiscriminator(self)


class SoundDiscriminator(nn.Module):
    """Judges sounds folded by several periods, and at several rates.

    All layers have weight norm; the paper gives the first scale spectral norm instead, which would need a state.

    Source: Kong et al. 2020 (HiFi-GAN), section 2.3.
    """

    config: SoundConfig = SoundConfig()

    @nn.compact
    def __call__(self, sound: Float[Array, "B n"]) -> Verdict:
        config = self.config
        found = [
            _Period(period, config.period_channels, name=f"period_{period}")(sound)
            for period in config.periods
        ]
        x = sound[..., None]
        for scale in range(config.scales):
            x = x if scale == 0 else nn.avg_pool(x, (4,), (2,), ((2, 2),))
            found.append(_Scale(config.scale_layers, name=f"scale_{scale}")(x))
        return Verdict(
            tuple(logits for verdict in found for logits in verdict.logits),
            tuple(feature for verdict in found for feature in verdict.features),
        )


class _Period(nn.Module):
    period: int
    channels: tuple[int, ...]

    @nn.compact
    def __call__(self, sound: Float[Array, "B n"]) -> Verdict:
        missing = -sound.shape[1] % self.period
        x = jnp.pad(sound, ((0, 0), (0, missing)), mode="reflect").reshape(len(sound), -1, self.period, 1)
        features = []
        for layer, channels in enumerate(self.channels):
            stride = 3 if layer < len(self.channels) - 1 else 1
            conv = nn.Conv(channels, (5, 1), (stride, 1), padding=((2, 2), (0, 0)))
            x = nn.leaky_relu(nn.WeightNorm(conv, name=f"conv_{layer}")(x), _SOUND_SLOPE)
            features.append(x)
        x = nn.WeightNorm(nn.Conv(1, (3, 1), padding=((1, 1), (0, 0))), name="conv_out")(x)
        return Verdict((x,), (*features, x))


class _Scale(nn.Module):
    layers: tuple[tuple[int, int, int, int], ...]

    @nn.compact
    def __call__(self, x: Float[Array, "B n 1"]) -> Verdict:
        features = []
        for layer, (channels, kernel, stride, groups) in enumerate(self.layers):
            conv = nn.Conv(channels, (kernel,), (stride,), padding=kernel // 2, feature_group_count=groups)
            x = nn.leaky_relu(nn.WeightNorm(conv, name=f"conv_{layer}")(x), _SOUND_SLOPE)
            features.append(x)
        x = nn.WeightNorm(nn.Conv(1, (3,), padding=1), name="conv_out")(x)
        return Verdict((x,), (*features, x))


def _conv4(channels: int, stride: int, name: str) -> Callable[[Array], Array]:
    return nn.Conv(channels, (4, 4), stride, padding=1, name=name)
