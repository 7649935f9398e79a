"""Rotary positions."""

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.nn import rope


def test_angles_of_the_docstrings():
    np.testing.assert_allclose(rope.angles_1d(jnp.array([1]), 8), [[1, 0.1, 0.01, 0.001]], rtol=1e-6)
    np.testing.assert_allclose(
        rope.angles_2d(jnp.array([1]), jnp.array([2]), 8), [[1, 0.01, 2, 0.02]], rtol=1e-6
    )


def test_rotation_is_a_complex_product(rng):
    x, angles = rng.normal(size=(2, 5, 3, 8)), rng.normal(size=(2, 5, 4))
    turned = (x[..., ::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)[:, :, None]
    out = np.asarray(rope.rotate(jnp.float32(x), jnp.float32(angles)))
    np.testing.assert_allclose(out[..., ::2], turned.real, atol=1e-6)
    np.testing.assert_allclose(out[..., 1::2], turned.imag, atol=1e-6)


def test_only_the_distance_of_query_and_key_matters(rng):
    q, k = jnp.float32(rng.normal(size=(2, 1, 1, 1, 16)))
    dot = lambda m, n: jnp.vdot(  # noqa: E731
        rope.rotate(q, rope.angles_2d(jnp.array([[m]]), jnp.array([[3 * m]]), 16)),
        rope.rotate(k, rope.angles_2d(jnp.array([[n]]), jnp.array([[3 * n]]), 16)),
    )
    np.testing.assert_allclose(dot(7, 5), dot(2, 0), rtol=1e-5)
    assert abs(dot(7, 5) - dot(7, 4)) > 1e-2


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_zero_angle_keeps_the_token_and_the_dtype(rng, dtype):
    x = jnp.asarray(rng.normal(size=(1, 3, 2, 8)), dtype)
    out = rope.rotate(x, jnp.zeros((1, 3, 4)))
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, x)
