"""The embedding table both ways."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.labels import waves
from unified_io.nn.embed import Curve, Embed


@pytest.fixture
def table():
    return nn.meta.unbox(Embed(7, 4).init(jax.random.key(0), jnp.zeros((1, 1), jnp.int32)))


def test_lookup_takes_rows(table):
    ids = jnp.array([[1, 6], [0, 1]])
    np.testing.assert_array_equal(
        Embed(7, 4).apply(table, ids), np.asarray(table["params"]["embedding"])[ids]
    )


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 4), (1, 1, 4), (4,)])
def test_attend_is_the_scaled_transpose_in_float32(table, rng, shape):
    hidden = jnp.asarray(rng.normal(size=shape), jnp.bfloat16)
    logits = Embed(7, 4, dtype="bfloat16").apply(table, hidden, method="attend")
    assert logits.dtype == jnp.float32
    wanted = np.asarray(hidden, np.float32) @ np.asarray(table["params"]["embedding"]).T / 2.0
    np.testing.assert_allclose(logits, wanted, atol=1e-6)


def test_an_id_outside_the_table_is_seen(table):
    assert jnp.isnan(Embed(7, 4).apply(table, jnp.array([7]))).all()


def test_each_row_gets_the_gradient_of_its_tokens(table):
    def loss(params):
        return Embed(7, 4).apply(params, jnp.array([2, 2, 5])).sum()

    gradient = jax.grad(loss)(table)["params"]["embedding"]
    np.testing.assert_array_equal(gradient[:, 0], [0, 0, 2, 0, 0, 1, 0])


def test_rows_on_a_curve_begin_alike_where_they_are_near():
    curve = Curve(20, 300, octaves=5)
    plain, curved = (
        np.asarray(
            nn.meta.unbox(Embed(400, 256, curve=one).init(jax.random.key(1), jnp.array([0])))["params"][
                "embedding"
            ]
        )
        for one in (None, curve)
    )
    np.testing.assert_array_equal(plain[:20], curved[:20])
    np.testing.assert_array_equal(plain[320:], curved[320:])
    alike = curved[20:320] @ curved[20:320].T / 256
    near, far, farther = (np.mean(np.diag(alike, apart)) for apart in (1, 15, 250))
    assert near > 0.95 and 0.3 < far < 0.9 and abs(farther) < 0.4
    assert 0.8 < np.mean(curved[20:320] ** 2) < 1.2


def test_a_curve_is_read_from_waves_by_a_matrix():
    points = np.asarray(Curve(0, 101, octaves=4).points(jax.random.key(0), 64))
    coded = waves(np.linspace(0, 1, 101)[:, None], 4)
    fitted, *_ = np.linalg.lstsq(coded, points, rcond=None)
    np.testing.assert_allclose(coded @ fitted, points, atol=1e-5)
