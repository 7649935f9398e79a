"""Convolutions against sums written out."""

import jax
import jax.numpy as jnp
import numpy as np

from unified_io.encoders.convolution import Convolution, convolve


def test_every_number_is_a_sum_over_its_window():
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, 9, 4)), rng.normal(size=(3, 2, 6))
    ours = np.asarray(convolve(jnp.asarray(x), jnp.asarray(kernel), stride=2, padding=((1, 2),), groups=2))
    padded = np.pad(x, ((0, 0), (1, 2), (0, 0)))
    for at in range(ours.shape[1]):
        window = padded[:, 2 * at : 2 * at + 3]
        for group in range(2):
            wanted = np.einsum(
                "bki,kio->bo", window[..., 2 * group : 2 * group + 2], kernel[..., 3 * group : 3 * group + 3]
            )
            np.testing.assert_allclose(ours[:, at, 3 * group : 3 * group + 3], wanted, atol=1e-5)
    assert ours.shape == (2, 5, 6)


def test_dilation_leaves_steps_out():
    x, kernel = jnp.arange(8.0).reshape(1, 8, 1), jnp.ones((3, 1, 1))
    np.testing.assert_array_equal(convolve(x, kernel, dilation=2)[0, :, 0], [6.0, 9.0, 12.0, 15.0])


def test_a_kernel_has_its_window_then_in_then_out():
    module = Convolution(5, (2, 3), stride=(2, 3), use_bias=True)
    boxed = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 4, 6, 3)))["params"]
    assert boxed["kernel"].value.shape == (2, 3, 3, 5)
    assert boxed["kernel"].names == ("axis_0", "axis_1", "axis_2", "embed")
    assert jax.eval_shape(module.init_with_output, jax.random.key(0), jnp.zeros((1, 4, 6, 3)))[0].shape == (
        1,
        2,
        2,
        5,
    )
