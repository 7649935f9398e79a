"""ImageBind's trunks: released sizes and grids, lengths of vectors, and what their configs refuse.

Their numbers are compared in tests/parity/test_imagebind.py.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.imagebind import (
    ImageBindAudio,
    ImageBindAudioConfig,
    ImageBindImu,
    ImageBindImuConfig,
    ImageBindVision,
    ImageBindVisionConfig,
)
from unified_io.errors import ConfigError

TRUNK = {"width": 8, "num_heads": 2, "num_layers": 1, "output_dim": 4}


def trunk_size(width, layers, patches, *, bias_token, first_norm, out=1024):
    block = 12 * width**2 + 13 * width + 2 * width * bias_token
    return layers * block + (1 + patches) * width + width + 2 * width + width * out + 2 * width * first_norm


@pytest.mark.parametrize(
    ("module", "shape", "patches", "size"),
    [
        (
            ImageBindVision(),
            (1, 224, 224, 3),
            256,
            2 * 14 * 14 * 3 * 1280 + trunk_size(1280, 32, 256, bias_token=False, first_norm=True),
        ),
        (
            ImageBindAudio(),
            (1, 204, 128),
            12 * 19,
            256 * 768 + 2 * 768 + trunk_size(768, 12, 228, bias_token=True, first_norm=False),
        ),
        (
            ImageBindImu(),
            (1, 2000, 6),
            250,
            48 * 512 + 2 * 512 + trunk_size(512, 6, 250, bias_token=True, first_norm=False),
        ),
    ],
    ids=["vision", "audio", "imu"],
)
def test_the_released_sizes_and_grids(module, shape, patches, size):
    x = jnp.zeros(shape)
    params = nn.meta.unbox(jax.eval_shape(module.init, jax.random.key(0), x))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == size
    features = jax.eval_shape(module.apply, {"params": params}, x)
    assert features.tokens.shape == (1, patches, module.config.width)
    assert features.mask.shape == (1, patches) and features.pooled.shape == (1, 1024)


@pytest.mark.parametrize(
    ("module", "shape", "length"),
    [
        (ImageBindVision(ImageBindVisionConfig(**TRUNK, side=4, patch=2)), (2, 4, 4, 3), 1.0),
        (
            ImageBindAudio(ImageBindAudioConfig(**TRUNK, frames=14, mels=8, patch=4, stride=2)),
            (2, 14, 8),
            20.0,
        ),
        (ImageBindImu(ImageBindImuConfig(**TRUNK, steps=8, patch=4)), (2, 8, 6), 5.0),
    ],
    ids=["vision", "audio", "imu"],
)
def test_vectors_have_their_length_and_rows_are_apart(module, shape, length):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    params = jax.jit(module.init)(jax.random.key(0), x)
    run = jax.jit(module.apply)
    both, one = run(params, x), run(params, x[1:])
    np.testing.assert_allclose(np.linalg.norm(both.pooled, axis=-1), length, rtol=1e-5)
    np.testing.assert_allclose(both.tokens[1:], one.tokens, atol=1e-5)
    np.testing.assert_allclose(both.pooled[1:], one.pooled, atol=1e-5 * length)
    assert np.abs(both.pooled[0] - both.pooled[1]).max() > 1e-3


def test_bad_sizes_are_errors():
    with pytest.raises(ConfigError, match=r"image of \(4, 5, 3\), wanted \(4, 4, 3\)"):
        ImageBindVision(ImageBindVisionConfig(**TRUNK, side=4, patch=2)).init(
            jax.random.key(0), jnp.zeros((1, 4, 5, 3))
        )
    with pytest.raises(ConfigError, match=r"wanted \(204, 128\)"):
        ImageBindAudio(ImageBindAudioConfig(**TRUNK)).init(jax.random.key(0), jnp.zeros((1, 200, 128)))
    with pytest.raises(ConfigError, match=r"wanted \(2000, 6\)"):
        ImageBindImu(ImageBindImuConfig(**TRUNK)).init(jax.random.key(0), jnp.zeros((1, 1000, 6)))
    with pytest.raises(ConfigError, match="multiple of num_heads"):
        ImageBindAudioConfig(num_heads=7)
