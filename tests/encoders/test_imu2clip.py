"""IMU2CLIP: released size, the one length that it reads, and laws. Its numbers: tests/parity/test_imu2clip.py."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.imu2clip import GroupNorm, Gru, Imu2Clip, Imu2ClipConfig
from unified_io.errors import ConfigError

CONFIG = Imu2ClipConfig(width=4, output_dim=3, kernels=(2,))


def test_the_released_size():
    motion = jnp.zeros((1, 1000, 6))
    params = nn.meta.unbox(jax.eval_shape(Imu2Clip().init, jax.random.key(0), motion))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 850_892
    features = jax.eval_shape(Imu2Clip().apply, {"params": params}, motion)
    assert features.tokens.shape == (1, 32, 512) and features.pooled.shape == (1, 512)


def test_only_windows_of_five_seconds_fit():
    assert [Imu2ClipConfig().steps_left(n) for n in (1000, 500, 20, 3)] == [32, 14, 0, 0]
    with pytest.raises(ConfigError, match="500 steps and 6 channels leaves 14 steps"):
        jax.eval_shape(Imu2Clip().init, jax.random.key(0), jnp.zeros((1, 500, 6)))
    with pytest.raises(ConfigError, match="5 channels"):
        jax.eval_shape(Imu2Clip().init, jax.random.key(0), jnp.zeros((1, 1000, 5)))
    with pytest.raises(ConfigError, match="groups of the norms"):
        Imu2ClipConfig(channels=5)


def test_acceleration_and_rotation_are_normalised_apart():
    x = np.random.default_rng(0).normal(3.0, 2.0, (1, 50, 6)).astype(np.float32)
    norm = GroupNorm(2)
    params = norm.init(jax.random.key(0), x)
    y = np.asarray(norm.apply(params, x))
    np.testing.assert_allclose([y[..., :3].mean(), y[..., 3:].mean()], 0.0, atol=1e-5)
    np.testing.assert_allclose([y[..., :3].std(), y[..., 3:].std()], 1.0, atol=1e-4)
    louder = x * np.array([1, 1, 1, 7, 7, 7], np.float32)
    np.testing.assert_allclose(norm.apply(params, louder), y, atol=1e-4)


def test_a_state_knows_what_came_before_it_and_nothing_later():
    x = np.random.default_rng(0).normal(size=(1, 5, 4)).astype(np.float32)
    gru = Gru(3, "float32")
    params = gru.init(jax.random.key(0), x)
    before, after = (np.asarray(gru.apply(params, y)) for y in (x, x + np.eye(5)[2][None, :, None]))
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert (np.abs(before[:, 2:] - after[:, 2:]).max(axis=-1) > 1e-4).all()


def test_the_vector_is_the_last_state_and_rows_are_apart():
    motion = np.random.default_rng(0).normal(size=(2, 14, 6)).astype(np.float32)
    params = jax.jit(Imu2Clip(CONFIG).init)(jax.random.key(0), motion)
    run = jax.jit(Imu2Clip(CONFIG).apply)
    both, one = run(params, motion), run(params, motion[1:])
    np.testing.assert_array_equal(both.pooled, both.tokens[:, -1])
    np.testing.assert_allclose(both.tokens[1:], one.tokens, atol=1e-6)
