"""Weights in few bits beside `bitsandbytes`: the same codes, the same scales, the same values."""

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.nn.int8 import Rounded
from unified_io.nn.nf4 import VALUES, NormalFloat, dynamic_values

torch = pytest.importorskip("torch")
F = pytest.importorskip("bitsandbytes.functional")


def kernel(rows=128, columns=24):
    """A matrix [in, out]; theirs is its transpose."""
    weights = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    weights[:, 3] *= 40  # blocks of different sizes
    weights[64:, 5] = 0  # one of zeros
    return weights


def test_the_tables_are_theirs():
    np.testing.assert_array_equal(VALUES, F.get_4bit_type("nf4", device="cpu").numpy())
    np.testing.assert_allclose(dynamic_values(), F.create_dynamic_map().numpy(), rtol=3e-7)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("shape", [(128, 24), (192, 200)])
def test_four_bits(shape, double):
    weights = kernel(*shape)
    theirs, state = F.quantize_4bit(
        torch.tensor(weights.T.copy()), quant_type="nf4", compress_statistics=double
    )
    ours = NormalFloat.of(jnp.asarray(weights), double=double)
    np.testing.assert_array_equal(np.asarray(ours.codes).reshape(-1), theirs.numpy().reshape(-1))
    back = F.dequantize_4bit(theirs, state).numpy().T
    if not double:
        np.testing.assert_array_equal(np.asarray(ours.scale).reshape(-1), state.absmax.numpy())
        np.testing.assert_allclose(ours.kernel(shape[0]), back, atol=1e-6, rtol=1e-5)
        return
    np.testing.assert_allclose(ours.scale.largest, state.state2.absmax.numpy(), rtol=1e-5)
    np.testing.assert_allclose(ours.scale.mean, state.offset.numpy(), rtol=1e-6)
    # their table for looking up codes is coarse, and the mean's last bit turns the finest of them
    same = np.asarray(ours.scale.codes).reshape(-1) == state.absmax.numpy()
    assert same.mean() > 0.98
    np.testing.assert_allclose(ours.scale.values(), _scales(weights), atol=0.01 * np.abs(weights).max())
    whole = np.repeat(same.reshape(shape[1], -1), 64, axis=1).T
    np.testing.assert_allclose(np.asarray(ours.kernel(shape[0]))[whole], back[whole], atol=1e-6, rtol=1e-4)
    np.testing.assert_allclose(ours.kernel(shape[0]), back, atol=0.02 * np.abs(weights).max())


def _scales(weights):
    return np.abs(weights.T.reshape(weights.shape[1], -1, 64)).max(axis=-1)


def test_eight_bits():
    weights = kernel()
    codes, largest, _ = F.int8_vectorwise_quant(torch.tensor(weights.T.copy()).to(torch.float16))
    half = weights.astype(np.float16).astype(np.float32)
    ours = Rounded.of(jnp.asarray(half))
    np.testing.assert_allclose(np.asarray(ours.scale) * 127, largest.numpy(), rtol=1e-3)
    # theirs multiplies in float16 where ours divides: a value half-way may go either way
    off = np.abs(np.asarray(ours.values, int).T - codes.numpy().astype(int))
    assert off.max() <= 1 and (off > 0).mean() < 0.02
    back = F.int8_vectorwise_dequant(codes, largest).numpy().T
    step = np.asarray(ours.scale)
    assert (np.abs(ours.kernel(128) - back) <= 1.01 * step).all()
