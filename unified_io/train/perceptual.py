"""How alike two pictures look, by the features of a network that sees: our own ViT, or a VGG whose weights are at hand.

Nothing is ever fetched.
"""

import dataclasses
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from unified_io import checkpoint
from unified_io.convert.stores import open_store
from unified_io.errors import CheckpointError, ConfigError
from unified_io.modalities.image import CLIP_MEAN, CLIP_STD, ImageInput

Likeness = Callable[[Float[Array, "B h w 3"], Float[Array, "B h w 3"]], Float[Array, ""]]
"""(made, real), in [-1, 1] -> how far apart they look; 0 for the same."""

# Convolutions of VGG16 as torchvision numbers them, one group for each resolution.
_GROUPS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
# What LPIPS takes off pictures in [-1, 1], and divides them by: ImageNet's statistics.
_SHIFT = np.array([-0.030, -0.088, -0.188], np.float32)
_SCALE = np.array([0.458, 0.448, 0.450], np.float32)


@dataclasses.dataclass(frozen=True)
class VitFeatures:
    """Both features of an image encoder of ours.

    Attributes:
      params: Folder of its parameters, e.g. the `image_encoder/params` that a staged run leaves.
      image: What the encoder is like, and how it is shown pictures.
    """

    params: str
    image: ImageInput = ImageInput()

    def load(self) -> Likeness:
        """Reads the parameters.

        Raises:
          CheckpointError: They are missing, or of another encoder.
        """
        encoder, patch = self.image.encoder(None), self.image.patch
        shapes = jax.eval_shape(
            lambda: nn.unbox(encoder.init(jax.random.key(0), *_blank(self.image))["params"])
        )
        params, _ = checkpoint.load_params(self.params, shapes)

        def see(media: Float[Array, "B h w 3"]) -> list[Array]:
            count, height, width, _ = media.shape
            if height % patch or width % patch:
                raise ConfigError(
                    f"pictures of {height}x{width} pixels for an encoder of patches of {patch}; give a multiple"
                )
            grid = height // patch, width // patch
            pixels = ((media + 1.0) / 2.0 - CLIP_MEAN) / CLIP_STD
            cells = pixels.reshape(count, grid[0], patch, grid[1], patch, 3).transpose(0, 1, 3, 2, 4, 5)
            patches = cells.reshape(count, grid[0] * grid[1], -1)
            positions = jnp.broadcast_to(jnp.arange(patches.shape[1]), patches.shape[:2])
            levels = encoder.apply(
                {"params": params}, patches, jnp.ones(patches.shape[:2], bool), positions, grid
            )
            return list(levels)

        return _likeness(see)


@dataclasses.dataclass(frozen=True)
class VggFeatures:
    """The features of a VGG16 before each of its five poolings; the weights are torchvision's, from a user's own file.

    Attributes:
      path: A safetensors file, or a pickle of PyTorch's where that is allowed.
      allow_pickle: See `unified_io.convert.stores.open_store`.

    Source: Zhang et al. 2018 (LPIPS), with all channels weighed alike.
    """

    path: str
    allow_pickle: bool = False

    def load(self) -> Likeness:
        """Reads the weights.

        Raises:
          CheckpointError: There are none, or they are not VGG16's.
        """
        store = open_store(self.path, allow_pickle=self.allow_pickle)
        channels, groups = 3, []
        for group in _GROUPS:
            layers = []
            for number in group:
                kernel, bias = (store.read(f"features.{number}.{part}") for part in ("weight", "bias"))
                if kernel.ndim != 4 or kernel.shape[1:] != (channels, 3, 3) or bias.shape != kernel.shape[:1]:
                    raise CheckpointError(
                        f"{self.path}: features.{number}.weight is {kernel.shape}, wanted [n, {channels}, 3, 3]; "
                        "give the weights of a VGG16 without batch norms"
                    )
                layers.append((np.transpose(kernel, (2, 3, 1, 0)), bias))
                channels = len(bias)
            groups.append(layers)

        def see(media: Float[Array, "B h w 3"]) -> list[Array]:
            hidden, seen = (media - _SHIFT) / _SCALE, []
            for number, layers in enumerate(groups):
                if number:
                    hidden = nn.max_pool(hidden, (2, 2), (2, 2))
                for kernel, bias in layers:
                    hidden = jax.lax.conv_general_dilated(
                        hidden, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
                    )
                    hidden = nn.relu(hidden + bias)
                seen.append(hidden)
            return seen

        return _likeness(see)


def _likeness(see: Callable[[Array], Sequence[Float[Array, "B ... C"]]]) -> Likeness:
    """Squared distances of features of length 1, a mean over places and over depths."""

    def apart(made: Array, real: Array) -> Float[Array, ""]:
        pairs = zip(see(made), see(jax.lax.stop_gradient(real)), strict=True)
        return jnp.mean(
            jnp.stack([jnp.mean(jnp.sum(jnp.square(_unit(a) - _unit(b)), axis=-1)) for a, b in pairs])
        )

    return apart


def _unit(features: Float[Array, "*B C"]) -> Float[Array, "*B C"]:
    # Within the root, or the slope of a feature of zeros were not a number.
    return features * jax.lax.rsqrt(jnp.sum(jnp.square(features), axis=-1, keepdims=True) + 1e-10)


def _blank(image: ImageInput) -> tuple[Array, Array, Array, tuple[int, int]]:
    spots = image.grid[0] * image.grid[1]
    patches = jnp.zeros((1, spots, image.patch * image.patch * image.channels))
    return patches, jnp.ones((1, spots), bool), jnp.zeros((1, spots), jnp.int32), image.grid
