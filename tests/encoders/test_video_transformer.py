"""The video transformer: published size and laws. What it computes is compared in tests/parity."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.video_transformer import VideoTransformer, VideoTransformerConfig
from unified_io.errors import ConfigError

TINY = VideoTransformerConfig(
    width=8, num_heads=2, num_layers=2, mlp_dim=12, tubelet=[2, 4, 4], num_frames=6, image_size=8
)


@pytest.fixture(scope="module")
def frames():
    return jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 8, 8, 3)), jnp.float32)


@pytest.fixture(scope="module")
def run(frames):
    params = VideoTransformer(TINY).init(jax.random.key(0), frames)
    return jax.jit(lambda x: VideoTransformer(TINY).apply(params, x))


def test_published_size():
    clip = jnp.zeros((1, 16, 224, 224, 3))
    params = jax.eval_shape(VideoTransformer().init, jax.random.key(0), clip)
    assert round(sum(leaf.size for leaf in jax.tree.leaves(nn.meta.unbox(params))) / 1e6) == 86


def test_a_token_a_tubelet_in_the_order_time_row_column(frames, run):
    features = run(frames)
    assert features.tokens.shape == (2, 3 * 2 * 2, 8) and features.mask.all()
    np.testing.assert_allclose(features.pooled, features.tokens.mean(axis=1), atol=1e-6)
    # Before any block a token is its tubelet alone.
    config = VideoTransformerConfig(**{**vars(TINY), "num_layers": 0})
    params = VideoTransformer(config).init(jax.random.key(0), frames)
    tokens = lambda x: VideoTransformer(config).apply(params, x).tokens  # noqa: E731
    changed = tokens(frames.at[0, 3, 5, 2].add(1.0)) != tokens(frames)
    assert np.argwhere(changed.any(axis=-1)).tolist() == [[0, 4 * 1 + 2 * 1 + 0]]


def test_fewer_frames_have_the_places_of_the_first(frames, run):
    assert run(frames[:, :4]).tokens.shape == (2, 8, 8)
    np.testing.assert_allclose(run(frames).tokens[1:], run(frames[1:]).tokens, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 8, 8, 8, 3), "clip of 8 frames of 8x8, wanted at most 6"),
        ((1, 6, 12, 8, 3), "of 12x8, wanted at most 6 of 8x8"),
        ((1, 5, 8, 8, 3), "clip is 5x8x8 but a patch is 2x4x4"),
    ],
)
def test_other_clips_are_refused(shape, message):
    with pytest.raises(ConfigError, match=message):
        jax.eval_shape(VideoTransformer(TINY).init, jax.random.key(0), jnp.zeros(shape))
