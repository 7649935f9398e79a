"""BEATs: a post-norm transformer over patches of a filter bank, with a gated bias for the distance of two patches."""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.encoders.base import Features
from unified_io.encoders.convolution import Convolution, convolve
from unified_io.nn.attention import Attention, attend
from unified_io.nn.dense import GLOROT_UNIFORM, Dense
from unified_io.nn.mlp import Mlp
from unified_io.nn.norm import LayerNorm
from unified_io.nn.parameter import parameter

_EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class BeatsConfig:
    """A BEATs encoder. The defaults are those of BEATs iter3+.

    Attributes:
      patch: Frames and mel bands of a patch.
      patch_width: Numbers a patch before it is projected to `width`.
      position_window: Patches that the convolution for positions sees.
      position_groups: Groups of its channels.
      num_buckets: Rows of the table of biases, half of them for patches that come later.
      max_distance: Patches from which on all distances share a row.
      gated: Each query opens or closes the bias, head by head.
      deep_norm: Residuals weigh (2 num_layers)^(1/4).
      dtype: Compute dtype.
    """

    mels: int = 128
    patch: int = 16
    patch_width: int = 512
    width: int = 768
    num_heads: int = 12
    num_layers: int = 12
    mlp_dim: int = 3072
    position_window: int = 128
    position_groups: int = 16
    num_buckets: int = 320
    max_distance: int = 800
    gated: bool = True
    deep_norm: bool = True
    dtype: str = "float32"

    def __post_init__(self):
        for name, divisor in (("num_heads", self.num_heads), ("position_groups", self.position_groups)):
            if self.width % divisor:
                raise errors.ConfigError(f"width {self.width} must be a multiple of {name} {divisor}")
        if self.mels % self.patch:
            raise errors.ConfigError(f"mels {self.mels} must be a multiple of patch {self.patch}")
        if self.num_buckets % 4 or self.max_distance <= self.num_buckets // 4:
            raise errors.ConfigError(
                f"num_buckets {self.num_buckets} must be a multiple of 4, and max_distance {self.max_distance} more "
                "than a quarter of it"
            )

    @property
    def residual_weight(self) -> float:
        """What a residual is multiplied with."""
        return (2 * self.num_layers) ** 0.25 if self.deep_norm else 1.0


def buckets(length: int, num_buckets: int, max_distance: int) -> Int[np.ndarray, "length length"]:
    """Returns the row of the bias table for every pair of a query and a key.

    Half of the rows are for keys before the query or at it, half for later ones. Of each half, half are for one
    distance each, and the others for distances that grow by a factor.
    """
    distance = np.arange(length)[None] - np.arange(length)[:, None]
    half = num_buckets // 2
    exact = half // 2
    away = np.abs(distance)
    # In float32, as in training: a distance at the edge of two rows keeps its own.
    octaves = np.log(np.maximum(away, 1).astype(np.float32) / np.float32(exact)) / np.float32(
        np.log(max_distance / exact)
    )
    far = np.minimum(exact + (octaves * np.float32(half - exact)).astype(int), half - 1)
    return np.where(away < exact, away, far) + half * (distance > 0)


class ConvolutionalPositions(nn.Module):
    """Adds to every patch what a wide grouped convolution makes of its neighbours; zeros lie around the row.

    The kernel is a direction for every place in the window, of a length of its own.
    """

    config: BeatsConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B S D"]) -> Float[Array, "B S D"]:
        config = self.config
        window, width = config.position_window, config.width
        direction = parameter(
            self,
            "direction",
            nn.initializers.normal((4.0 / (window * width)) ** 0.5),
            (window, width // config.position_groups, width),
            ("axis_0", "axis_1", "embed"),
        )
        squares = jnp.sum(jnp.square(direction), axis=(1, 2))
        length = parameter(
            self, "length", lambda key, shape, dtype: jnp.full(shape, 2.0, dtype), (window,), ("axis_0",)
        )
        bias = parameter(self, "bias", nn.initializers.zeros, (width,), ("embed",))
        kernel = direction * (length * jax.lax.rsqrt(squares))[:, None, None]
        y = convolve(
            x,
            kernel.astype(x.dtype),
            padding=((window // 2, (window - 1) // 2),),
            groups=config.position_groups,
        )
        return x + jax.nn.gelu(y + bias.astype(x.dtype), approximate=False)


class BeatsAttention(nn.Module):
    """Self-attention with a bias for distances, opened or closed by the projected query."""

    config: BeatsConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "B S D"], mask: Bool[Array, "B 1 1 S"], bias: Float[Array, "1 H S S"]
    ) -> Float[Array, "B S D"]:
        config = self.config
        attention = Attention(
            config.width,
            config.num_heads,
            config.width // config.num_heads,
            use_bias=True,
            kernel_init=GLOROT_UNIFORM,
            dtype=config.dtype,
            name="attention",
        )
        q, kv = attention.queries(x), attention.keys_values(x)
        if config.gated:
            logits = Dense(8, ("kv", "axis_0"), use_bias=True, dtype=config.dtype, name="gate")(q)
            first, second = jnp.moveaxis(
                jax.nn.sigmoid(logits.reshape(*logits.shape[:3], 2, 4).sum(-1)).swapaxes(1, 2), -1, 0
            )
            scale = parameter(self, "gate_scale", nn.initializers.ones, (config.num_heads,), ("heads",))
            bias = (first * (second * scale[:, None] - 1.0) + 2.0)[..., None] * bias
        heads = attend(q, kv["k"], kv["v"], mask=mask, bias=bias)
        return attention.out(heads.reshape(x.shape))


class BeatsBlock(nn.Module):
    """`x = norm(a x + attention(x)); x = norm(a x + mlp(x))`."""

    config: BeatsConfig

    @nn.compact
    def __call__(
        self, x: Float[Array, "B S D"], mask: Bool[Array, "B 1 1 S"], bias: Float[Array, "1 H S S"]
    ) -> Float[Array, "B S D"]:
        config = self.config
        norm = partial(LayerNorm, _EPSILON, dtype=config.dtype)
        mlp = Mlp(config.mlp_dim, use_bias=True, kernel_init=GLOROT_UNIFORM, dtype=config.dtype, name="mlp")
        attention = BeatsAttention(config, name="self_attention")
        x = norm(name="attention_norm")(config.residual_weight * x + attention(x, mask, bias))
        return norm(name="mlp_norm")(config.residual_weight * x + mlp(x))


class Beats(nn.Module):
    """Filter banks to one token a patch, in time and then in mel; there is no pooled vector.

    Source: Chen et al. 2023 (BEATs), in the order of operations of its public code. Where only a part of a patch's
    frames are real the patch is, and the others count as zeros.
    """

    config: BeatsConfig = BeatsConfig()

    @nn.compact
    def __call__(self, mel: Float[Array, "B T M"], mask: Bool[Array, "B T"] | None = None) -> Features:
        """Encodes filter banks as `preprocess.kaldi.beats` takes them.

        Args:
          mask: True = a real frame. Others change nothing. None: all are.

        Raises:
          ConfigError: A filter bank has other mel bands than the config, or a number of frames that is no multiple of
            a patch.
        """
        config = self.config
        batch, frames, mels = mel.shape
        if mels != config.mels or frames % config.patch:
            raise errors.ConfigError(
                f"filter bank of {frames} frames and {mels} mel bands, wanted a multiple of {config.patch} and "
                f"{config.mels}; take it with preprocess.kaldi.beats"
            )
        mask = jnp.ones((batch, frames), bool) if mask is None else mask
        stem = Convolution(
            config.patch_width,
            (config.patch, config.patch),
            stride=config.patch,
            dtype=config.dtype,
            name="stem",
        )
        norm = partial(LayerNorm, _EPSILON, dtype=config.dtype)
        patches = stem(jnp.where(mask[..., None], mel, 0.0)[..., None])
        x = norm(name="stem_norm")(patches.reshape(batch, -1, config.patch_width))
        x = Dense(
            config.width,
            ("image_patch", "embed"),
            use_bias=True,
            kernel_init=GLOROT_UNIFORM,
            dtype=config.dtype,
            name="projection",
        )(x)
        real = jnp.repeat(mask.reshape(batch, -1, config.patch).any(axis=-1), mels // config.patch, axis=1)
        x = jnp.where(real[..., None], x, 0.0)
        x = norm(name="norm")(ConvolutionalPositions(config, name="positions")(x))
        table = parameter(
            self,
            "distance_bias",
            nn.initializers.normal(0.02),
            (config.num_buckets, config.num_heads),
            ("relpos_buckets", "heads"),
        )
        rows = buckets(x.shape[1], config.num_buckets, config.max_distance)
        bias = table[rows].transpose(2, 0, 1)[None]
        for i in range(config.num_layers):
            x = BeatsBlock(config, name=f"block_{i}")(x, real[:, None, None], bias)
        return Features(x, real)
