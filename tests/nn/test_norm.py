"""Norms against their formulas."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.nn.norm import LayerNorm, RMSNorm


def test_rms_norm(rng):
    x, scale = rng.normal(size=(4, 6)), rng.normal(size=6)
    out = RMSNorm().apply({"params": {"scale": jnp.float32(scale)}}, jnp.float32(x))
    np.testing.assert_allclose(out, x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale, atol=1e-6)


def test_layer_norm(rng):
    x, scale, bias = rng.normal(2.0, 1.0, size=(4, 6)), rng.normal(size=6), rng.normal(size=6)
    params = {"scale": jnp.float32(scale), "bias": jnp.float32(bias)}
    out = LayerNorm(epsilon=0.1).apply({"params": params}, jnp.float32(x))
    wanted = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.1) * scale + bias
    np.testing.assert_allclose(out, wanted, atol=1e-5)


@pytest.mark.parametrize("norm", [RMSNorm, LayerNorm])
def test_bfloat16_in_and_out_but_float32_within(norm):
    """In bfloat16 the mean square of 1,000 ones and one 30 would be off by far more than the rounding of the result."""
    x = jnp.concatenate([jnp.ones(1000), jnp.array([30.0])]).astype(jnp.bfloat16)
    params = nn.meta.unbox(norm(dtype=jnp.bfloat16).init(jax.random.key(0), x))
    out = norm(dtype=jnp.bfloat16).apply(params, x)
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    wide = norm().apply(params, x.astype(jnp.float32))
    np.testing.assert_allclose(out.astype(jnp.float32), wide, rtol=2**-7)
