"""Nearest codebook entries, their gradients, and how many of them are used."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.tokenizers.quantizer import Quantizer, code_usage, count_codes, nearest_codes, unit


@pytest.fixture
def z() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)


@pytest.fixture(params=[False, True], ids=["euclidean", "normalized"])
def quantizer(request, z):
    module = Quantizer(codebook_size=7, code_dim=3, normalize=request.param)
    return module, module.init(jax.random.key(1), z)


def rows(quantizer):
    module, params = quantizer
    embedding = np.asarray(params["params"]["embedding"])
    return embedding / np.linalg.norm(embedding, axis=-1, keepdims=True) if module.normalize else embedding


def test_nearest_codes_are_nearest(quantizer, z):
    module, params = quantizer
    seen = z / np.linalg.norm(z, axis=-1, keepdims=True) if module.normalize else z
    distances = np.linalg.norm(seen[..., None, :] - rows(quantizer), axis=-1)
    codes = module.apply(params, z, method=module.encode)
    assert codes.dtype == jnp.int32
    np.testing.assert_array_equal(codes, distances.argmin(-1))


def test_of_equal_entries_the_first_wins():
    codebook = jnp.array([[2.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 2.0]])
    np.testing.assert_array_equal(nearest_codes(jnp.array([[1.0, 1.0], [0.1, 3.0]]), codebook), [1, 3])


def test_distances_survive_a_large_offset():
    """Products in bf16 or TF32 would swap neighbours here."""
    codebook = 3.0 + jnp.arange(16.0)[:, None] * jnp.array([0.01, 0.0])
    np.testing.assert_array_equal(nearest_codes(codebook + 0.002, codebook), np.arange(16))


def test_decode_is_the_inverse_of_encode(quantizer):
    module, params = quantizer
    codes = jnp.arange(7)[None]
    entries = module.apply(params, codes, method=module.decode)
    np.testing.assert_allclose(entries[0], rows(quantizer), rtol=1e-5)
    np.testing.assert_array_equal(module.apply(params, entries, method=module.encode), codes)


def test_codes_outside_the_codebook_are_clipped(quantizer):
    module, params = quantizer
    entries = module.apply(params, jnp.array([-5, 0, 6, 700]), method=module.decode)
    np.testing.assert_array_equal(entries[0], entries[1])
    np.testing.assert_array_equal(entries[3], entries[2])


def test_direction_alone_counts_when_normalized(z):
    module = Quantizer(codebook_size=7, code_dim=3, normalize=True)
    params = module.init(jax.random.key(1), z)
    scaled = jax.tree.map(lambda e: e * jnp.arange(1.0, 8.0)[:, None], params)
    expected = module.apply(params, z, method=module.encode)
    np.testing.assert_array_equal(module.apply(scaled, 3 * z, method=module.encode), expected)


def test_the_gradient_passes_straight_through(z):
    module = Quantizer(codebook_size=7, code_dim=3)
    params = module.init(jax.random.key(1), z)
    weight = np.random.default_rng(1).normal(size=z.shape).astype(np.float32)

    def loss(params, z):
        return jnp.sum(weight * module.apply(params, z)[0])

    to_params, to_z = jax.grad(loss, (0, 1))(params, z)
    np.testing.assert_array_equal(to_z, weight)
    assert not to_params["params"]["embedding"].any()


def test_each_loss_pulls_its_own_side(quantizer, z):
    module, params = quantizer

    def loss(params, z, name):
        return getattr(module.apply(params, z)[1], name)

    to_codebook, to_z = jax.grad(loss, (0, 1))(params, z, "codebook_loss")
    assert np.abs(to_codebook["params"]["embedding"]).max() > 0
    assert not to_z.any()
    to_codebook, to_z = jax.grad(loss, (0, 1))(params, z, "commitment_loss")
    assert not to_codebook["params"]["embedding"].any()
    assert np.abs(to_z).max() > 0
    _, out = module.apply(params, z)
    np.testing.assert_allclose(
        out.codebook_loss, np.mean((np.asarray(out.z) - rows(quantizer)[out.codes]) ** 2), rtol=1e-5
    )


def test_zero_vectors_give_numbers(quantizer):
    module, params = quantizer
    params = jax.tree.map(jnp.zeros_like, params)

    def loss(params, z):
        entries, out = module.apply(params, z)
        return jnp.sum(jnp.square(entries - 1)) + out.codebook_loss + out.commitment_loss

    value, grads = jax.value_and_grad(loss, (0, 1))(params, jnp.zeros((1, 2, 3)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((value, grads)))
    np.testing.assert_array_equal(unit(jnp.zeros(3)), np.zeros(3))


@pytest.mark.parametrize(
    ("codes", "perplexity", "usage"),
    [([0, 1, 2, 3], 4.0, 1.0), ([2, 2, 2, 2], 1.0, 0.25), ([0, 0, 1, 1], 2.0, 0.5)],
)
def test_code_usage(codes, perplexity, usage):
    counts = count_codes(jnp.array([codes]), 4)
    np.testing.assert_array_equal(counts, np.bincount(codes, minlength=4))
    measured = code_usage(counts)
    assert float(measured["perplexity"]) == pytest.approx(perplexity, rel=1e-5)
    assert float(measured["usage"]) == usage
