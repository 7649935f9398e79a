"""Samplers against a slow NumPy reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.generation.sampling import Sampler, kept_tokens, row_keys


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def reference_kept(logits, top_k, top_p):
    """Token ids kept in one row: the nucleus first, then the k likeliest of it."""
    order = np.argsort(-logits)
    kept, total = [], 0.0
    for id in order:
        kept.append(id)
        total += softmax(logits)[id]
        if total >= top_p:
            break
    return set((kept[:top_k] if top_k else kept) if top_p < 1 else (order[:top_k] if top_k else order))


@pytest.mark.parametrize(
    "top_k, top_p", [(0, 1.0), (1, 1.0), (5, 1.0), (0, 0.3), (0, 0.95), (3, 0.9), (30, 0.5), (99, 0.5)]
)
def test_kept_tokens(top_k, top_p):
    logits = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32) * 2
    kept = np.asarray(kept_tokens(jnp.asarray(logits), top_k, top_p))
    for row, logit in zip(kept, logits, strict=True):
        assert set(np.flatnonzero(row)) == reference_kept(logit, top_k, top_p)


@pytest.mark.parametrize("min_p", [1e-3, 0.05, 0.3, 1.0])
def test_what_is_much_less_likely_than_the_likeliest_goes(min_p):
    logits = np.random.default_rng(0).normal(size=(20, 50)).astype(np.float32) * 2
    kept = np.asarray(kept_tokens(jnp.asarray(logits), min_p=min_p))
    for row, logit in zip(kept, logits, strict=True):
        probabilities = softmax(logit.astype(np.float64))
        np.testing.assert_array_equal(row, probabilities >= min_p * probabilities.max() * (1 - 1e-6))


def test_top_p_keeps_the_best_and_all_at_the_limits():
    logits = jnp.asarray(np.random.default_rng(1).normal(size=(4, 1000)), jnp.float32)
    assert kept_tokens(logits, top_p=1e-6).sum() == 4
    assert kept_tokens(logits, top_p=np.nextafter(np.float32(1), np.float32(0))).sum() >= 4 * 995


def test_zero_ties_with_its_negative():
    np.testing.assert_array_equal(kept_tokens(jnp.asarray([[0.0, -0.0, -1.0]]), 1)[0], [True, True, False])


def test_ties_are_kept():
    logits = jnp.asarray([[1.0, 3.0, 3.0, 0.0]])
    np.testing.assert_array_equal(kept_tokens(logits, 1)[0], [False, True, True, False])


draw = jax.jit(Sampler.__call__)


def frequencies(sampler, logits, draws):
    tokens = draw(sampler, jnp.broadcast_to(logits, (draws, len(logits))), jax.random.key(0))
    return np.bincount(np.asarray(tokens), minlength=len(logits)) / draws


def test_frequencies_follow_the_tempered_softmax():
    logits = np.array([1.0, 0.2, -0.5, 2.0, -3.0])
    found = frequencies(Sampler(temperature=0.7), logits, 40_000)
    np.testing.assert_allclose(found, softmax(logits / 0.7), atol=0.01)


def test_the_nucleus_is_measured_before_the_temperature():
    """At temperature 5 softmax is flat, so a nucleus measured after it would keep all four tokens."""
    logits = np.log([0.6, 0.3, 0.06, 0.04])
    found = frequencies(Sampler(temperature=5.0, top_p=0.85), logits, 20_000)
    expected = np.append(softmax(logits[:2] / 5), [0, 0])
    np.testing.assert_allclose(found, expected, atol=0.015)


def test_greedy_and_the_limit_of_low_temperature():
    logits = jnp.asarray(np.random.default_rng(2).normal(size=(64, 30)), jnp.float32)
    best = np.argmax(logits, -1)
    alike = (Sampler(0), Sampler(1e-5), Sampler(top_k=1), Sampler(top_p=1e-6), Sampler(min_p=1.0))
    for sampler in alike:
        np.testing.assert_array_equal(draw(sampler, logits, jax.random.key(3)), best)


def test_forbidden_tokens_are_never_drawn():
    logits = jnp.where(jnp.arange(40)[None] < 3, 0.0, -jnp.inf) * jnp.ones((200, 1))
    for sampler in (Sampler(), Sampler(top_p=0.99), Sampler(top_k=10), Sampler(temperature=100.0)):
        assert np.asarray(draw(sampler, logits, jax.random.key(0))).max() < 3


def test_same_key_same_tokens_whatever_the_batch():
    logits = jnp.asarray(np.random.default_rng(4).normal(size=(8, 100)), jnp.float32)
    sampler = Sampler(top_p=0.95)
    tokens = draw(sampler, logits, jax.random.key(5))
    np.testing.assert_array_equal(tokens, draw(sampler, logits, jax.random.key(5)))
    np.testing.assert_array_equal(tokens[:3], draw(sampler, logits[:3], jax.random.key(5)))
    assert not np.array_equal(tokens, draw(sampler, logits, jax.random.key(6)))
    flat = draw(sampler, jnp.zeros((8, 100)), jax.random.key(5))
    assert len(set(np.asarray(flat).tolist())) > 4  # rows have keys of their own


def test_every_row_can_have_numbers_of_its_own():
    logits = jnp.asarray(np.random.default_rng(6).normal(size=(5, 60)), jnp.float32)
    samplers = [
        Sampler(0),
        Sampler(0.5, 7),
        Sampler(2.0, 0, 0.8),
        Sampler(1.3, 0, 1.0, 0.2),
        Sampler(1.0, 9, 0.9),
    ]
    together = jax.tree.map(lambda *x: jnp.asarray(x), *samplers)
    for seed in range(20):
        keys = row_keys(jax.random.key(seed), 5)
        alone = [int(draw(s, logits[i : i + 1], keys[i : i + 1])[0]) for i, s in enumerate(samplers)]
        np.testing.assert_array_equal(draw(together, logits, keys), alone)


def test_other_numbers_compile_nothing_anew():
    drawing = jax.jit(lambda sampler, logits, rng: sampler(logits, rng))
    for sampler in (
        Sampler(0),
        Sampler(0.0),
        Sampler(1),
        Sampler(0.7, 5),
        Sampler(1.5, np.int64(3), 0.5, 0.1),
    ):
        drawing(sampler, jnp.zeros((2, 9)), jax.random.key(0))
    assert drawing._cache_size() == 1


def test_row_keys():
    typed, raw = row_keys(jax.random.key(7), 3), row_keys(jax.random.PRNGKey(7), 3)
    np.testing.assert_array_equal(jax.random.key_data(typed), jax.random.key_data(raw))
    np.testing.assert_array_equal(jax.random.key_data(row_keys(typed, 3)), jax.random.key_data(typed))
    with pytest.raises(ConfigError, match="4 rows"):
        row_keys(typed, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": 1e-9},
        {"temperature": np.nan},
        {"temperature": np.inf},
        {"top_k": -1},
        {"top_k": 2.5},
        {"top_k": "many"},
        {"temperature": "hot"},
        {"top_p": None},
        {"top_p": 0},
        {"top_p": 1.1},
        {"top_p": np.nan},
        {"min_p": -0.1},
        {"min_p": 1.1},
    ],
)
def test_wrong_settings_are_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Sampler(**wrong)


def test_the_nucleus_can_be_measured_after_the_temperature():
    """At a high temperature the likeliest token no longer makes up half of the probability alone."""
    logits = jnp.log(jnp.array([[0.6, 0.3, 0.1]]))
    many = jnp.broadcast_to(logits, (200, 3))

    def drawn(sampler):
        return {*np.asarray(draw(sampler, many, jax.random.key(0))).tolist()}

    assert drawn(Sampler(temperature=5.0, top_p=0.5)) == {0}
    assert drawn(Sampler(temperature=5.0, top_p=0.5, tempered_nucleus=True)) == {0, 1}
