"""Images to codes and back: the convolutional VQGAN. Knows nothing of vocabularies or of how codes are modelled.

Parameter names are those of the released Unified-IO 2 checkpoints (`.../discrete_vae`).
"""

import dataclasses
import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from unified_io.errors import ConfigError, DataError
from unified_io.tokenizers.quantizer import Quantizer, Reconstruction


@dataclasses.dataclass(frozen=True)
class VQGANConfig:
    """The shape of a VQGAN; the defaults are the released image tokenizer (67,717,295 parameters).

    Attributes:
      channels: Width of a level before its multiplier.
      channel_multipliers: One a level, from the full resolution down; each further level halves the sides.
      res_blocks: Residual blocks a level (the decoder has one more).
      attention_resolutions: Sides, in pixels of a level, at which residual blocks are followed by attention.
      resolution: Side of the images, in pixels.
      z_channels: Channels between encoder and code space.
      code_dim: Numbers a codebook entry.
      codebook_size: Entries of the codebook.
      groups: Groups of every group norm; divides the width of every level.
    """

    channels: int = 128
    channel_multipliers: tuple[int, ...] = (1, 2, 2, 4)
    res_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (32,)
    resolution: int = 256
    z_channels: int = 4
    code_dim: int = 4
    codebook_size: int = 16384
    groups: int = 32

    def __post_init__(self):
        if self.resolution % self.stride:
            raise ConfigError(
                f"resolution {self.resolution} is no multiple of {self.stride}, what {len(self.channel_multipliers)} "
                f"levels shrink it by; use a multiple or fewer levels"
            )
        for width in (self.channels, *self.widths):
            if width % self.groups:
                raise ConfigError(
                    f"a level of {width} channels can not be split in {self.groups} groups; set groups"
                )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of every level, full resolution first."""
        return tuple(self.channels * multiplier for multiplier in self.channel_multipliers)

    @property
    def stride(self) -> int:
        """Pixels a code, along one side."""
        return 2 ** (len(self.channel_multipliers) - 1)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of codes of one image."""
        return (self.resolution // self.stride,) * 2

    def attends(self, level: int) -> bool:
        """Whether residual blocks of a level are followed by attention."""
        return self.resolution // 2**level in self.attention_resolutions


_conv3 = functools.partial(nn.Conv, kernel_size=(3, 3), padding=1)
_conv1 = functools.partial(nn.Conv, kernel_size=(1, 1))


class ResBlock(nn.Module):
    """Two normalised 3x3 convolutions beside a shortcut."""

    channels: int
    groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h w E"]:
        norm = functools.partial(nn.GroupNorm, self.groups, epsilon=1e-6)
        h = _conv3(self.channels, name="conv1")(nn.silu(norm(name="norm1")(x)))
        h = _conv3(self.channels, name="conv2")(nn.silu(norm(name="norm2")(h)))
        if x.shape[-1] != self.channels:
            x = _conv1(self.channels, name="nin_shortcut")(x)
        return x + h


class AttnBlock(nn.Module):
    """Attention with one head among all places of a level."""

    groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h w C"]:
        channels = x.shape[-1]
        h = nn.GroupNorm(self.groups, epsilon=1e-6, name="norm")(x)
        q, k, v = (_conv1(channels, name=name)(h).reshape(len(x), -1, channels) for name in "qkv")
        scores = jnp.einsum("bqc,bkc->bqk", q, k) * channels**-0.5
        h = jnp.einsum("bqk,bkc->bqc", jax.nn.softmax(scores), v).reshape(x.shape)
        return x + _conv1(channels, name="proj_out")(h)


class Downsample(nn.Module):
    """Halves the sides by a convolution whose zeros lie at the bottom and right only."""

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h2 w2 C"]:
        return nn.Conv(x.shape[-1], (3, 3), 2, padding=((0, 1), (0, 1)), name="conv")(x)


class Upsample(nn.Module):
    """Doubles the sides by repetition, then convolves."""

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h2 w2 C"]:
        return _conv3(x.shape[-1], name="conv")(x.repeat(2, axis=1).repeat(2, axis=2))


class _Half(nn.Module):
    """What encoder and decoder share."""

    config: VQGANConfig

    def _block(self, x: Array, name: str, channels: int) -> Array:
        return ResBlock(channels, self.config.groups, name=name)(x)

    def _attention(self, x: Array, name: str) -> Array:
        return AttnBlock(self.config.groups, name=name)(x)

    def _middle(self, x: Array) -> Array:
        x = self._block(x, "mid_block_1", x.shape[-1])
        x = self._attention(x, "mid_attn_1")
        return self._block(x, "mid_block_2", x.shape[-1])

    def _out(self, x: Array, channels: int) -> Array:
        x = nn.silu(nn.GroupNorm(self.config.groups, epsilon=1e-6, name="norm_out")(x))
        return _conv3(channels, name="conv_out")(x)


class Encoder(_Half):
    """Pixels to the vectors before `quant_conv`."""

    @nn.compact
    def __call__(self, x: Float[Array, "B h w 3"]) -> Float[Array, "B gh gw Z"]:
        config = self.config
        x = _conv3(config.channels, name="conv_in")(x)
        for level, width in enumerate(config.widths):
            for block in range(config.res_blocks):
                x = self._block(x, f"down_{level}_block_{block}", width)
                if config.attends(level):
                    x = self._attention(x, f"down_{level}_attn_{block}")
            if level < len(config.widths) - 1:
                x = Downsample(name=f"down_{level}_downsample")(x)
        return self._out(self._middle(x), config.z_channels)


class Decoder(_Half):
    """The vectors after `post_quant_conv` to pixels; `up_0` is the lowest resolution."""

    @nn.compact
    def __call__(self, z: Float[Array, "B gh gw Z"]) -> Float[Array, "B h w 3"]:
        config = self.config
        x = self._middle(_conv3(config.widths[-1], name="conv_in")(z))
        for up, level in enumerate(reversed(range(len(config.widths)))):
            for block in range(config.res_blocks + 1):
                x = self._block(x, f"up_{up}_block_{block}", config.widths[level])
                if config.attends(level):
                    x = self._attention(x, f"up_{up}_attn_{block}")
            if level > 0:
                x = Upsample(name=f"up_{up}_upsample")(x)
        return self._out(x, 3)


class VQGAN(nn.Module):
    """The image tokenizer.

    Source: Esser et al. 2021 (taming transformers), without its discriminator; Unified-IO 2, section 3.1.
    """

    config: VQGANConfig

    def setup(self):
        config = self.config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quantize = Quantizer(config.codebook_size, config.code_dim)
        self.quant_conv = _conv1(config.code_dim)
        self.post_quant_conv = _conv1(config.z_channels)

    def _vectors(self, images: Float[Array, "B h w 3"]) -> Float[Array, "B gh gw C"]:
        stride = self.config.stride
        if images.shape[1] % stride or images.shape[2] % stride:
            raise DataError(
                f"images are {images.shape[1]}x{images.shape[2]} but a code covers {stride}x{stride} pixels; "
                f"resize or pad them to a multiple"
            )
        return self.quant_conv(self.encoder(images))

    def encode(self, images: Float[Array, "B h w 3"]) -> Int[Array, "B L"]:
        """Turns pixels in [-1, 1] into codes, row by row."""
        z = self._vectors(images)
        return self.quantize.encode(z).reshape(len(images), -1)

    def decode(self, codes: Int[Array, "B L"]) -> Float[Array, "B h w 3"]:
        """Turns codes of square images into pixels in about [-1, 1]; the inverse of `encode`. Nothing is clipped."""
        side = math.isqrt(codes.shape[1])
        if side * side != codes.shape[1]:
            raise DataError(
                f"{codes.shape[1]} codes make no square image; the config's grid is {self.config.grid}"
            )
        return self._pixels(self.quantize.decode(codes.reshape(-1, side, side)))

    def _pixels(self, entries: Float[Array, "B gh gw C"]) -> Float[Array, "B h w 3"]:
        return self.decoder(self.post_quant_conv(entries))

    def __call__(self, images: Float[Array, "B h w 3"]) -> Reconstruction:
        """Encodes and decodes with a straight-through gradient."""
        z = self._vectors(images)
        entries, quantized = self.quantize(z.reshape(len(images), -1, z.shape[-1]))
        return quantized._replace(media=self._pixels(entries.reshape(z.shape)))
