"""Weights in four bits: how far off they are, what they take, and how they are multiplied."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.nn.held import variables
from unified_io.nn.nf4 import VALUES, NormalFloat, Scales, dynamic_values


@pytest.mark.parametrize("rows", [64, 150])
def test_a_value_is_the_nearest_of_sixteen(rng, rows):
    kernel = rng.normal(size=(3, rows, 7)).astype(np.float32)
    kernel[1, :, 2] = 0
    held = NormalFloat.of(kernel)
    assert held.codes.dtype == jnp.uint8 and held.codes.shape == (3, 7, -(-rows // 64) * 32)
    back = np.asarray(held.kernel(rows))
    for layer, column, block in np.ndindex(3, 7, -(-rows // 64)):
        part = slice(64 * block, 64 * (block + 1))
        weights = kernel[layer, part, column]
        choices = np.abs(weights).max() * VALUES
        nearest = choices[np.abs(weights[:, None] - choices).argmin(axis=1)]
        np.testing.assert_allclose(back[layer, part, column], nearest, atol=1e-6)


def test_scales_in_eight_bits_are_near(rng):
    scale = rng.uniform(0.5, 2, size=(2, 50, 11)).astype(np.float32)
    held = Scales.of(jnp.asarray(scale))
    assert held.codes.dtype == jnp.uint8 and held.largest.shape == (2, 3) and held.mean.shape == (2,)
    off = np.abs(np.asarray(held.values()) - scale)
    widest = np.diff(dynamic_values()).max() / 2 * np.asarray(held.largest).max()
    assert 0 < off.max() <= widest + 1e-6
    # each layer by itself
    np.testing.assert_array_equal(Scales.of(jnp.asarray(scale[1])).codes, held.codes[1])


@pytest.mark.parametrize("double", [False, True])
def test_a_product_is_that_of_the_matrix_it_stands_for_and_moves_only_the_other_side(rng, double):
    kernel, x = (rng.normal(size=shape).astype(np.float32) for shape in ((100, 7), (4, 100)))
    held = NormalFloat.of(kernel, double=double)
    np.testing.assert_allclose(held.times(x, jnp.float32), x @ held.kernel(100), atol=1e-4)
    slope = jax.grad(lambda x: held.times(x, jnp.float32).sum())(x)
    np.testing.assert_allclose(slope, np.tile(np.asarray(held.kernel(100)).sum(axis=1), (4, 1)), atol=1e-5)
    moved = jax.grad(lambda held: held.times(x, jnp.float32).sum(), allow_int=True)(held)
    assert all(not leaf.any() for leaf in jax.tree.leaves(moved) if leaf.dtype == jnp.float32)


def test_what_is_held_lies_apart(rng):
    held = NormalFloat.of(rng.normal(size=(64, 2)))
    tree = {"a": {"kernel": held, "bias": np.ones(2)}, "b": np.ones(1)}
    made = variables(tree)
    assert made["held"] == {"a": {"kernel": held}}
    assert made["params"].keys() == {"a", "b"} and made["params"]["a"].keys() == {"bias"}
    assert variables({"b": 1}) == {"params": {"b": 1}}
