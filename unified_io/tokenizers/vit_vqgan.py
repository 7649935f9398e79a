"""Spectrograms to codes and back: the transformer ViT-VQGAN. Knows nothing of waveforms or vocabularies.

Parameter names are those of the released Unified-IO 2 checkpoints (`.../discrete_vae`). Inside, patches run
mel band by mel band as there; outside, codes run through time.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from unified_io.errors import ConfigError, DataError
from unified_io.nn.attention import Attention
from unified_io.nn.dense import Dense
from unified_io.nn.mlp import Mlp
from unified_io.nn.norm import LayerNorm
from unified_io.tokenizers.quantizer import Quantizer, Reconstruction


@dataclasses.dataclass(frozen=True)
class TrunkConfig:
    """The transformer of one half.

    Attributes:
      width: Numbers a token; a multiple of 4.
      num_heads: Attention heads.
      head_dim: Numbers a head.
      num_layers: Layers.
      mlp_dim: Hidden width of the MLPs.
    """

    width: int = 512
    num_heads: int = 8
    head_dim: int = 64
    num_layers: int = 8
    mlp_dim: int = 2048

    def __post_init__(self):
        if self.width % 4:
            raise ConfigError(f"width {self.width} is no multiple of 4, as sine and cosine of two axes need")


@dataclasses.dataclass(frozen=True)
class ViTVQGANConfig(TrunkConfig):
    """The shape of a ViT-VQGAN; the defaults are the released audio tokenizer (50,768,416 parameters).

    The sizes of a trunk are those of the encoder.

    Attributes:
      patch: Side of a patch, in frames and in mel bands.
      codebook_size: Entries of the codebook.
      code_dim: Numbers an entry.
      frames: Frames of a spectrogram.
      mels: Mel bands of a spectrogram.
      decoder: Sizes of the decoder; None for those of the encoder.
    """

    patch: int = 8
    codebook_size: int = 8192
    code_dim: int = 32
    frames: int = 256
    mels: int = 128
    decoder: TrunkConfig | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.frames % self.patch or self.mels % self.patch:
            raise ConfigError(
                f"{self.frames} frames x {self.mels} mels can not be cut in patches of {self.patch}; use multiples"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along time and along mel."""
        return self.frames // self.patch, self.mels // self.patch


def sincos_table(rows: int, columns: int, width: int) -> Float[np.ndarray, "rows*columns width"]:
    """Returns the fixed 2-D position table: [sin, cos] of the column, then of the row.

    Source: MoCo v3's 2-D sine-cosine table, as the released audio tokenizer uses it.
    """
    rates = 10000.0 ** (-np.arange(width // 4) / (width // 4))
    row, column = np.indices((rows, columns)).reshape(2, -1, 1) * rates
    return np.concatenate([np.sin(column), np.cos(column), np.sin(row), np.cos(row)], -1).astype(np.float32)


class Block(nn.Module):
    """One pre-norm transformer layer."""

    config: TrunkConfig

    def setup(self):
        config = self.config
        self.MultiHeadDotProductAttention_0 = Attention(config.width, config.num_heads, config.head_dim)
        self.MlpBlock_0 = Mlp(
            config.mlp_dim, "relu", use_bias=True, names=("DenseGeneral_0", "DenseGeneral_1")
        )
        self.LayerNormWithBias_0 = LayerNorm()
        self.LayerNormWithBias_1 = LayerNorm()

    def __call__(self, x: Float[Array, "B L D"]) -> Float[Array, "B L D"]:
        x = x + self.MultiHeadDotProductAttention_0(self.LayerNormWithBias_0(x))
        return x + self.MlpBlock_0(self.LayerNormWithBias_1(x))


class Transformer(nn.Module):
    """Position table, layers and a final norm."""

    config: TrunkConfig
    grid: tuple[int, int]

    @nn.compact
    def __call__(self, x: Float[Array, "B L D"]) -> Float[Array, "B L D"]:
        time, mel = self.grid
        x = x + sincos_table(mel, time, self.config.width)
        for layer in range(self.config.num_layers):
            x = Block(self.config, name=f"encoderblock_{layer}")(x)
        return LayerNorm(name="encoder_norm")(x)


class Encoder(nn.Module):
    """Patches to the vectors the codebook is compared with."""

    config: ViTVQGANConfig

    @nn.compact
    def __call__(self, patches: Float[Array, "B L P"]) -> Float[Array, "B L C"]:
        x = Dense(self.config.width, ("axis_0", "embed"), use_bias=True, name="embedding")(patches)
        x = nn.relu(Transformer(self.config, self.config.grid, name="Transformer_0")(x))
        x = Dense(self.config.code_dim, ("embed", "axis_1"), name="encoder_proj")(x)
        return nn.LayerNorm(use_scale=False, name="encoder_norm")(x)


class PatchProjection(nn.Module):
    """Tokens to pixels of patches: a transposed convolution whose stride is its kernel's side."""

    patch: int

    @nn.compact
    def __call__(self, x: Float[Array, "B L D"]) -> Float[Array, "B L P"]:
        shape = (self.patch, self.patch, x.shape[-1], 1)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        # The released weights were applied as a convolution of the dilated input, which reads the kernel backwards.
        return x @ kernel[::-1, ::-1, :, 0].reshape(-1, x.shape[-1]).T


class Decoder(nn.Module):
    """Codebook entries to patches."""

    config: ViTVQGANConfig

    @nn.compact
    def __call__(self, entries: Float[Array, "B L C"]) -> Float[Array, "B L P"]:
        trunk = self.config.decoder or self.config
        x = Dense(trunk.width, ("axis_0", "embed"), name="decoder_proj")(entries)
        x = Transformer(trunk, self.config.grid, name="Transformer_0")(x)
        return PatchProjection(self.config.patch, name="ConvTranspose_0")(x)


class ViTVQGAN(nn.Module):
    """The audio tokenizer.

    Source: Yu et al. 2022 (ViT-VQGAN); Unified-IO 2, section 3.1 and appendix.
    """

    config: ViTVQGANConfig

    def setup(self):
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)
        self.quantize = Quantizer(self.config.codebook_size, self.config.code_dim, normalize=True)

    def _patchify(self, spectrograms: Float[Array, "B frames mels 1"]) -> Float[Array, "B L P"]:
        (time, mel), side = self.config.grid, self.config.patch
        if spectrograms.shape[1:] != (self.config.frames, self.config.mels, 1):
            raise DataError(
                f"spectrograms are {spectrograms.shape} but the tokenizer takes "
                f"[B, {self.config.frames}, {self.config.mels}, 1]; set frames and mels as in the MelConfig"
            )
        patches = spectrograms.reshape(-1, time, side, mel, side)
        return patches.transpose(0, 3, 1, 4, 2).reshape(-1, mel * time, side * side)

    def _unpatchify(self, patches: Float[Array, "B L P"]) -> Float[Array, "B frames mels 1"]:
        (time, mel), side = self.config.grid, self.config.patch
        patches = patches.reshape(-1, mel, time, side, side).transpose(0, 2, 4, 1, 3)
        return patches.reshape(-1, self.config.frames, self.config.mels, 1)

    def _time_major(self, tokens: Array) -> Array:
        time, mel = self.config.grid
        return tokens.reshape(-1, mel, time, *tokens.shape[2:]).swapaxes(1, 2).reshape(tokens.shape)

    def _mel_major(self, tokens: Array) -> Array:
        time, mel = self.config.grid
        return tokens.reshape(-1, time, mel, *tokens.shape[2:]).swapaxes(1, 2).reshape(tokens.shape)

    def encode(self, spectrograms: Float[Array, "B frames mels 1"]) -> Int[Array, "B L"]:
        """Turns normalised log-mel spectrograms into codes, all mel bands of one time after the other."""
        return self._time_major(self.quantize.encode(self.encoder(self._patchify(spectrograms))))

    def decode(self, codes: Int[Array, "B L"]) -> Float[Array, "B frames mels 1"]:
        """Turns codes into normalised log-mel spectrograms; the inverse of `encode`."""
        time, mel = self.config.grid
        if codes.shape[1] != time * mel:
            raise DataError(
                f"got {codes.shape[1]} codes but a spectrogram has {time} x {mel}; give all of them"
            )
        return self._unpatchify(self.decoder(self.quantize.decode(self._mel_major(codes))))

    def __call__(self, spectrograms: Float[Array, "B frames mels 1"]) -> Reconstruction:
        """Encodes and decodes with a straight-through gradient."""
        z = self._time_major(self.encoder(self._patchify(spectrograms)))
        entries, quantized = self.quantize(z)
        return quantized._replace(media=self._unpatchify(self.decoder(self._mel_major(entries))))
