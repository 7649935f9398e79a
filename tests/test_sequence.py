import jax
import jax.numpy as jnp
import numpy as np

from unified_io.sequence import gather, invert


def test_invert_example_of_the_docstring():
    np.testing.assert_array_equal(invert(jnp.array([[2, 0, 3]]), 3), [[1, 3, 0]])


def random_index(rng, places: int, rows: int) -> np.ndarray:
    """A partial one-to-one map: rows to places, `places` is padding."""
    index = np.full(rows, places)
    count = int(rng.integers(0, min(places, rows) + 1))
    index[rng.choice(rows, count, replace=False)] = rng.choice(places, count, replace=False)
    return index


def test_gather_and_its_gradient_equal_numpy():
    rng = np.random.default_rng(0)
    for places, rows in ((1, 1), (3, 7), (8, 2), (5, 5)):
        index = np.stack([random_index(rng, places, rows) for _ in range(2)])
        source = rng.normal(size=(2, places, 3)).astype(np.float32)
        padded = np.concatenate([source, np.zeros((2, 1, 3), np.float32)], axis=1)
        expected = np.take_along_axis(padded, index[..., None], axis=1)
        inverse = invert(jnp.asarray(index), int(places))
        np.testing.assert_array_equal(gather(source, index, inverse), expected)

        cotangent = rng.normal(size=expected.shape).astype(np.float32)
        grad = jax.grad(lambda s: (gather(s, index, inverse) * cotangent).sum())(source)
        scattered = np.zeros_like(padded)
        for g in range(2):
            np.add.at(scattered[g], index[g], cotangent[g])
        np.testing.assert_allclose(grad, scattered[:, :-1], atol=1e-6)


def test_gathering_there_and_back_is_the_identity():
    rng = np.random.default_rng(1)
    index = rng.permutation(6)[None]
    source = rng.normal(size=(1, 6, 2)).astype(np.float32)
    inverse = invert(jnp.asarray(index), 6)
    np.testing.assert_array_equal(gather(gather(source, index, inverse), inverse, index), source)
