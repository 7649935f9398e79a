"""ImageBind: images, sounds and motion, each by a transformer of its own, as unit vectors of one space."""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io import errors
from unified_io.encoders.base import Features
from unified_io.encoders.convolution import Convolution
from unified_io.encoders.vit import learned_tokens, prepend
from unified_io.nn.attention import attend
from unified_io.nn.dense import GLOROT_UNIFORM, Dense
from unified_io.nn.mlp import Mlp
from unified_io.nn.norm import LayerNorm
from unified_io.nn.parameter import parameter

_EPSILON, _STEM_EPSILON = 1e-6, 1e-5


@dataclass(frozen=True, kw_only=True)
class TrunkConfig:
    """A transformer of ImageBind.

    Attributes:
      output_dim: Numbers of the pooled vector.
      first_norm: A norm before the first block.
      bias_token: Every attention has a learned key and value beside those of the tokens.
      scale: Length of the pooled vector.
      dtype: Compute dtype.
    """

    width: int
    num_heads: int
    num_layers: int
    output_dim: int = 1024
    first_norm: bool = False
    bias_token: bool = True
    scale: float = 1.0
    dtype: str = "float32"

    def __post_init__(self):
        if self.width % self.num_heads:
            raise errors.ConfigError(f"width {self.width} must be a multiple of num_heads {self.num_heads}")


@dataclass(frozen=True, kw_only=True)
class ImageBindVisionConfig(TrunkConfig):
    """The trunk for images of `side` pixels; an image is read as two equal frames. The defaults are those of Huge."""

    width: int = 1280
    num_heads: int = 16
    num_layers: int = 32
    first_norm: bool = True
    bias_token: bool = False
    side: int = 224
    patch: int = 14


@dataclass(frozen=True, kw_only=True)
class ImageBindAudioConfig(TrunkConfig):
    """The trunk for sounds of two seconds; patches overlap. The defaults are those of Huge."""

    width: int = 768
    num_heads: int = 12
    num_layers: int = 12
    scale: float = 20.0
    frames: int = 204
    mels: int = 128
    patch: int = 16
    stride: int = 10


@dataclass(frozen=True, kw_only=True)
class ImageBindImuConfig(TrunkConfig):
    """The trunk for motion: `steps` of acceleration and rotation, cut in patches. The defaults are those of Huge."""

    width: int = 512
    num_heads: int = 8
    num_layers: int = 6
    scale: float = 5.0
    steps: int = 2000
    channels: int = 6
    patch: int = 8


class TrunkAttention(nn.Module):
    """Self-attention with one matrix for queries, keys and values, and a learned key and value where told."""

    config: TrunkConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B S D"]) -> Float[Array, "B S D"]:
        config = self.config
        width = config.width
        dense = partial(Dense, use_bias=True, kernel_init=GLOROT_UNIFORM, dtype=config.dtype)
        q, k, v = jnp.split(dense(3 * width, ("embed", "joined_kv"), name="in")(x), 3, axis=-1)
        if config.bias_token:
            more = [
                parameter(self, name, nn.initializers.normal(width**-0.5), (width,), ("embed",))
                for name in ("extra_key", "extra_value")
            ]
            k, v = (
                jnp.concatenate([y, jnp.broadcast_to(token.astype(y.dtype), (x.shape[0], 1, width))], axis=1)
                for y, token in zip((k, v), more, strict=True)
            )
        q, k, v = (y.reshape(*y.shape[:2], config.num_heads, -1) for y in (q, k, v))
        return dense(width, ("joined_kv", "embed"), name="out")(attend(q, k, v).reshape(x.shape))


class TrunkBlock(nn.Module):
    """`x += attention(norm(x)); x += mlp(norm(x))`."""

    config: TrunkConfig

    @nn.compact
    def __call__(self, x: Float[Array, "B S D"]) -> Float[Array, "B S D"]:
        config = self.config
        norm = partial(LayerNorm, _EPSILON, dtype=config.dtype)
        mlp = Mlp(4 * config.width, use_bias=True, kernel_init=GLOROT_UNIFORM, dtype=config.dtype, name="mlp")
        x = x + TrunkAttention(config, name="attention")(norm(name="attention_norm")(x))
        return x + mlp(norm(name="mlp_norm")(x))


class Trunk(nn.Module):
    """Patches to tokens, and the class token to a vector of length `scale`."""

    config: TrunkConfig

    @nn.compact
    def __call__(self, patches: Float[Array, "B S D"]) -> Features:
        config = self.config
        norm = partial(LayerNorm, _EPSILON, dtype=config.dtype)
        positions = learned_tokens(self, "positions", 1 + patches.shape[1], config.width)
        x = prepend(learned_tokens(self, "class_token", config.width)[None], patches)
        x = x + positions.astype(x.dtype)
        if config.first_norm:
            x = norm(name="first_norm")(x)
        for i in range(config.num_layers):
            x = TrunkBlock(config, name=f"block_{i}")(x)
        x = norm(name="norm")(x)
        head = Dense(config.output_dim, ("embed", "mlp"), dtype=config.dtype, name="head")
        pooled = head(x[:, 0]).astype(jnp.float32)
        length = jnp.linalg.norm(pooled, axis=-1, keepdims=True)
        tokens = x[:, 1:]
        pooled = config.scale * pooled / jnp.maximum(length, 1e-12)
        return Features(tokens, jnp.ones(tokens.shape[:2], bool), pooled)


class ImageBindVision(nn.Module):
    """Images to tokens, row by row, and to a vector.

    Source: Girdhar et al. 2023 (ImageBind), as its public code builds it, here and in the other two trunks.
    """

    config: ImageBindVisionConfig = ImageBindVisionConfig()

    @nn.compact
    def __call__(self, images: Float[Array, "B h w 3"]) -> Features:
        """Encodes images of `side` pixels, normalised by CLIP's mean and deviation.

        Raises:
          ConfigError: An image is of another size.
        """
        config = self.config
        _expect("image", images.shape[1:], (config.side, config.side, 3), "resize it")
        stem = Convolution(
            config.width,
            (2, config.patch, config.patch),
            stride=(2, config.patch, config.patch),
            dtype=config.dtype,
            name="stem",
        )
        patches = stem(jnp.stack([images, images], axis=1))
        return Trunk(config, name="trunk")(patches.reshape(len(images), -1, config.width))


class ImageBindAudio(nn.Module):
    """Filter banks of sounds to tokens, band by band and each band in time, and to a vector."""

    config: ImageBindAudioConfig = ImageBindAudioConfig()

    @nn.compact
    def __call__(self, mel: Float[Array, "B T M"]) -> Features:
        """Encodes filter banks as `preprocess.kaldi.imagebind` takes them, each clip for itself.

        Raises:
          ConfigError: A filter bank has another number of frames or of mel bands than the config.
        """
        config = self.config
        _expect(
            "filter bank",
            mel.shape[1:],
            (config.frames, config.mels),
            "take it with preprocess.kaldi.imagebind",
        )
        stem = Convolution(
            config.width,
            (config.patch, config.patch),
            stride=config.stride,
            dtype=config.dtype,
            name="stem",
        )
        patches = stem(mel.swapaxes(1, 2)[..., None]).reshape(len(mel), -1, config.width)
        patches = LayerNorm(_STEM_EPSILON, dtype=config.dtype, name="stem_norm")(patches)
        return Trunk(config, name="trunk")(patches)


class ImageBindImu(nn.Module):
    """Motion to tokens, one a patch in time, and to a vector."""

    config: ImageBindImuConfig = ImageBindImuConfig()

    @nn.compact
    def __call__(self, motion: Float[Array, "B T C"]) -> Features:
        """Encodes windows as `preprocess.imu_ops.windows` cuts them.

        Raises:
          ConfigError: A window has another number of steps or channels than the config.
        """
        config = self.config
        _expect("motion", motion.shape[1:], (config.steps, config.channels), "cut it with preprocess.imu_ops")
        cut = motion.reshape(len(motion), -1, config.patch, config.channels).swapaxes(2, 3)
        stem = Dense(
            config.width,
            ("image_patch", "embed"),
            kernel_init=GLOROT_UNIFORM,
            dtype=config.dtype,
            name="stem",
        )
        patches = stem(cut.reshape(*cut.shape[:2], -1))
        patches = LayerNorm(_STEM_EPSILON, dtype=config.dtype, name="stem_norm")(patches)
        return Trunk(config, name="trunk")(patches)


def _expect(what: str, got: tuple[int, ...], wanted: tuple[int, ...], remedy: str) -> None:
    if got != wanted:
        raise errors.ConfigError(f"{what} of {got}, wanted {wanted}; {remedy}")
