"""Whisper's encoder: released size, and what its config refuses."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.whisper import Whisper, WhisperConfig, sinusoids
from unified_io.errors import ConfigError

CONFIG = WhisperConfig(mels=5, width=8, num_heads=2, num_layers=1, mlp_dim=12, num_positions=6)


def test_the_released_size():
    mel = jnp.zeros((1, 3000, 80))
    params = nn.meta.unbox(jax.eval_shape(Whisper().init, jax.random.key(0), mel))["params"]
    width = 1280
    stem = (3 * 80 * width + width) + (3 * width**2 + width) + 1500 * width
    block = 12 * width**2 + 12 * width  # of 13 biases and norms one is not there: at the keys
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == stem + 32 * block + 2 * width
    assert "bias" not in params["blocks_0"]["attention"]["key"]
    assert jax.eval_shape(Whisper().apply, {"params": params}, mel).tokens.shape == (1, 1500, 1280)


def test_positions_are_sines_then_cosines():
    table = sinusoids(50, 8)
    np.testing.assert_allclose(table[0], [0, 0, 0, 0, 1, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(table[:, 0], np.sin(np.arange(50)), atol=1e-5)
    np.testing.assert_allclose(table[:, 7], np.cos(np.arange(50) / 10_000), atol=1e-6)


def test_a_batch_of_one_is_a_row_of_a_batch_of_two():
    mel = np.random.default_rng(0).normal(size=(2, 12, 5)).astype(np.float32)
    params = jax.jit(Whisper(CONFIG).init)(jax.random.key(0), mel)
    both, one = (jax.jit(Whisper(CONFIG).apply)(params, x) for x in (mel, mel[1:]))
    np.testing.assert_allclose(both.tokens[1:], one.tokens, atol=1e-5)
    assert both.mask.shape == (2, 6) and bool(both.mask.all()) and both.pooled is None


def test_bad_sizes_are_errors():
    with pytest.raises(ConfigError, match=r"wanted \(12, 5\)"):
        Whisper(CONFIG).init(jax.random.key(0), jnp.zeros((1, 11, 5)))
    with pytest.raises(ConfigError, match="multiple of num_heads"):
        WhisperConfig(width=10, num_heads=4)
