"""The audio side of CLAP: HTS-AT, a Swin transformer over a spectrogram that is folded into a square."""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.encoders.base import Features
from unified_io.encoders.convolution import Convolution
from unified_io.nn.attention import Attention, attend
from unified_io.nn.dense import GLOROT_UNIFORM, Dense
from unified_io.nn.mlp import Mlp
from unified_io.nn.norm import BatchNorm, LayerNorm
from unified_io.nn.parameter import parameter

_EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class ClapConfig:
    """An HTS-AT without feature fusion. The defaults are LAION's `clap-htsat-unfused`.

    Attributes:
      side: Rows and columns of the square.
      mels: Mel bands; the square has `side / mels` pieces of the sound below each other.
      patch: Rows and columns of a patch.
      width: Numbers a token in the first stage; every further stage has twice as many and a quarter of the tokens.
      depths: Blocks of each stage.
      num_heads: Heads of each stage.
      window: Rows and columns of tokens that look at each other.
      projection_dim: Numbers of the pooled vector in the space shared with text; None pools without a projection.
      block_epsilon: Of the norms in the blocks.
      dtype: Compute dtype.
    """

    side: int = 256
    mels: int = 64
    patch: int = 4
    width: int = 96
    depths: tuple[int, ...] = (2, 2, 6, 2)
    num_heads: tuple[int, ...] = (4, 8, 16, 32)
    window: int = 8
    mlp_ratio: int = 4
    projection_dim: int | None = 512
    block_epsilon: float = _EPSILON
    dtype: str = "float32"

    def __post_init__(self):
        object.__setattr__(self, "depths", tuple(self.depths))  # gin hands lists over
        object.__setattr__(self, "num_heads", tuple(self.num_heads))
        if len(self.depths) != len(self.num_heads):
            raise errors.ConfigError(
                f"depths {self.depths} and num_heads {self.num_heads} must name the same stages"
            )
        if self.side % self.mels:
            raise errors.ConfigError(f"side {self.side} must be a multiple of mels {self.mels}")
        least = self.patch * self.window * 2 ** (len(self.depths) - 1)
        if self.side % least:
            raise errors.ConfigError(
                f"side {self.side} must be a multiple of {least}: patches of {self.patch}, windows of {self.window} "
                f"and {len(self.depths)} stages"
            )
        for stage, heads in enumerate(self.num_heads):
            if (width := self.width * 2**stage) % heads:
                raise errors.ConfigError(f"stage {stage} is {width} wide, no multiple of its {heads} heads")
        if (self.side // self.patch // 2 ** (len(self.depths) - 1)) % self.pieces:
            raise errors.ConfigError(
                f"the last stage has fewer rows than the {self.pieces} pieces of the sound; use fewer stages"
            )

    @property
    def pieces(self) -> int:
        """Pieces of the sound below each other."""
        return self.side // self.mels

    @property
    def frames(self) -> int:
        """Frames of a spectrogram that fills the square."""
        return self.side * self.pieces


def stretching(old: int, new: int) -> Float[np.ndarray, "new old"]:
    """Returns the matrix that stretches a row of numbers: cubic, first and last number stay where they are.

    Source: Keys' kernel with a = -0.75 and positions in float32, as PyTorch interpolates.
    """
    at = np.arange(new, dtype=np.float32) * np.float32((old - 1) / max(new - 1, 1))
    first = np.floor(at)
    matrix = np.zeros((new, old))
    for offset in (-1, 0, 1, 2):
        away = np.abs(at - first - offset).astype(np.float64)
        near = (1.25 * away - 2.25) * away**2 + 1.0
        far = ((-0.75 * away + 3.75) * away - 6.0) * away + 3.0
        columns = np.clip(first + offset, 0, old - 1).astype(int)
        np.add.at(matrix, (np.arange(new), columns), np.where(away <= 1.0, near, far))
    return matrix.astype(np.float32)


def fold(mel: Float[Array, "B T M"], pieces: int) -> Float[Array, "B rows columns"]:
    """Lays the pieces of a spectrogram below each other, time to the right and mel bands downwards.

    Example, frames 0 to 3 in two pieces with bands a and b: the rows are a0 a1, b0 b1, a2 a3, b2 b3.
    """
    batch, frames, mels = mel.shape
    cut = mel.reshape(batch, pieces, frames // pieces, mels)
    return cut.transpose(0, 1, 3, 2).reshape(batch, pieces * mels, frames // pieces)


def unfold(tokens: Float[Array, "B R C D"], pieces: int) -> Float[Array, "B S D"]:
    """Lays the pieces of a square of tokens behind each other: time goes first, then the next band."""
    batch, rows, columns, width = tokens.shape
    cut = tokens.reshape(batch, pieces, rows // pieces, columns, width)
    return cut.transpose(0, 2, 1, 3, 4).reshape(batch, -1, width)


def window_offsets(window: int) -> Int[np.ndarray, "L L"]:
    """Returns the row of the bias table for every pair of tokens in a window: one for each offset in two axes."""
    place = np.stack(np.divmod(np.arange(window**2), window), axis=-1)
    offset = place[:, None] - place[None] + window - 1
    return offset[..., 0] * (2 * window - 1) + offset[..., 1]


def seams(rows: int, columns: int, window: int) -> Bool[np.ndarray, "N 1 L L"]:
    """Returns which tokens see each other in the windows of a square that was rolled by half a window.

    The last windows hold tokens of opposite edges, which are no neighbours.
    """

    def side(length: int) -> np.ndarray:
        at = np.arange(length)
        return (at >= length - window).astype(int) + (at >= length - window // 2)

    region = 3 * side(rows)[:, None] + side(columns)
    cut = region.reshape(rows // window, window, columns // window, window).swapaxes(1, 2)
    cut = cut.reshape(-1, window**2)
    return (cut[:, :, None] == cut[:, None])[:, None]


class WindowAttention(nn.Module):
    """Tokens look at those of their window, with a learned bias for every offset between two of them."""

    config: ClapConfig
    num_heads: int
    shift: int

    @nn.compact
    def __call__(self, x: Float[Array, "B R C D"]) -> Float[Array, "B R C D"]:
        (batch, rows, columns, width), size = x.shape, self.config.window
        table = parameter(
            self,
            "offset_bias",
            nn.initializers.truncated_normal(0.02),
            ((2 * size - 1) ** 2, self.num_heads),
            ("relpos_buckets", "heads"),
        )
        bias = table[window_offsets(size)].transpose(2, 0, 1)[None]
        mask = None
        if self.shift:
            x = jnp.roll(x, (-self.shift, -self.shift), (1, 2))
            mask = jnp.tile(seams(rows, columns, size), (batch, 1, 1, 1))
        grid = (batch, rows // size, size, columns // size, size, width)
        inside = x.reshape(grid).swapaxes(2, 3).reshape(-1, size**2, width)
        attention = Attention(
            width,
            self.num_heads,
            width // self.num_heads,
            use_bias=True,
            kernel_init=GLOROT_UNIFORM,
            dtype=self.config.dtype,
            name="attention",
        )
        kv = attention.keys_values(inside)
        heads = attend(attention.queries(inside), kv["k"], kv["v"], mask=mask, bias=bias)
        y = attention.out(heads.reshape(inside.shape))
        y = y.reshape(*grid[:2], grid[3], size, size, width).swapaxes(2, 3).reshape(x.shape)
        return jnp.roll(y, (self.shift, self.shift), (1, 2)) if self.shift else y


class SwinBlock(nn.Module):
    """`x += attention(norm(x)); x += mlp(norm(x))`, within windows."""

    config: ClapConfig
    num_heads: int
    shift: int

    @nn.compact
    def __call__(self, x: Float[Array, "B R C D"]) -> Float[Array, "B R C D"]:
        config = self.config
        norm = partial(LayerNorm, config.block_epsilon, dtype=config.dtype)
        mlp = Mlp(
            config.mlp_ratio * x.shape[-1],
            use_bias=True,
            kernel_init=GLOROT_UNIFORM,
            dtype=config.dtype,
            name="mlp",
        )
        attention = WindowAttention(config, self.num_heads, self.shift, name="windows")
        x = x + attention(norm(name="attention_norm")(x))
        return x + mlp(norm(name="mlp_norm")(x))


class Merging(nn.Module):
    """Makes one token of twice the width out of every four neighbours."""

    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B R C D"]) -> Float[Array, "B R/2 C/2 2D"]:
        batch, rows, columns, width = x.shape
        corners = x.reshape(batch, rows // 2, 2, columns // 2, 2, width).transpose(0, 1, 3, 4, 2, 5)
        x = LayerNorm(_EPSILON, dtype=self.dtype, name="norm")(corners.reshape(*corners.shape[:3], -1))
        return Dense(2 * width, ("mlp", "embed"), dtype=self.dtype, name="reduce")(x)


class Clap(nn.Module):
    """Log-mel spectrograms to tokens, band by band and each band in time, and to one vector for the sound.

    The vector is the mean of the tokens, projected into the space shared with text where the config says so. Sounds
    are padded by repeating them, so every token is a real one.

    Source: Chen et al. 2022 (HTS-AT) and Wu et al. 2023 (CLAP), without feature fusion.
    """

    config: ClapConfig = ClapConfig()

    @nn.compact
    def __call__(self, mel: Float[Array, "B T M"]) -> Features:
        """Encodes spectrograms as `preprocess.log_mels.clap` takes them; shorter than the square, they are stretched.

        Raises:
          ConfigError: A spectrogram has other mel bands than the config, or more frames than the square has room for.
        """
        config = self.config
        _, frames, mels = mel.shape
        if mels != config.mels or frames > config.frames:
            raise errors.ConfigError(
                f"spectrogram of {frames} frames and {mels} mel bands, wanted at most {config.frames} and "
                f"{config.mels}; take it with preprocess.log_mels.clap"
            )
        mel = BatchNorm(name="mel_norm")(mel)
        if frames < config.frames:
            mel = jnp.einsum("ts,bsm->btm", stretching(frames, config.frames), mel)
        stem = Convolution(
            config.width,
            (config.patch, config.patch),
            stride=config.patch,
            use_bias=True,
            dtype=config.dtype,
            name="stem",
        )
        norm = partial(LayerNorm, _EPSILON, dtype=config.dtype)
        x = norm(name="stem_norm")(stem(fold(mel, config.pieces)[..., None]))
        for i, (depth, heads) in enumerate(zip(config.depths, config.num_heads, strict=True)):
            # A window as large as the square has no neighbours to be shifted into.
            half = config.window // 2 if min(x.shape[1:3]) > config.window else 0
            for j in range(depth):
                x = SwinBlock(config, heads, half if j % 2 else 0, name=f"stage_{i}_block_{j}")(x)
            if i + 1 < len(config.depths):
                x = Merging(config.dtype, name=f"stage_{i}_merging")(x)
        tokens = unfold(norm(name="norm")(x), config.pieces)
        pooled = jnp.mean(tokens, axis=1)
        if config.projection_dim is not None:
            dense = partial(Dense, config.projection_dim, ("embed", "mlp"), use_bias=True, dtype=config.dtype)
            pooled = dense(name="projection_2")(jax.nn.relu(dense(name="projection_1")(pooled)))
        return Features(tokens, jnp.ones(tokens.shape[:2], bool), pooled)
