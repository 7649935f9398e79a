"""Connectors without attention: sizes of the published ones, and what they compute, by NumPy."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.connectors.linear import (
    Linear,
    LinearConfig,
    Mlp,
    MlpConfig,
    PooledToTokens,
    PooledToTokensConfig,
    mean,
)
from unified_io.errors import ConfigError


def count(module, width, pooled=1):
    arguments = jnp.zeros((1, 2, width)), jnp.ones((1, 2), bool)
    init = lambda: module.init(jax.random.key(0), *arguments, pooled=jnp.zeros((1, pooled)))  # noqa: E731
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(init)))


def test_published_sizes():
    s3 = PooledToTokensConfig(
        num_tokens=4, out_width=4096, pool="given", unit_length=True, hidden_dim=4096, dropout_rate=0.1
    )
    assert count(PooledToTokens(s3), 1, 1024) == 71_323_648
    xib = PooledToTokensConfig(num_tokens=32, out_width=4096, token_width=768)
    millions = [round(count(PooledToTokens(xib), width) / 1e6, 1) for width in (1408, 768, 512)]
    assert millions == [37.8, 22.0, 15.8]
    lynx = MlpConfig(out_width=4096, hidden_dim=2816, hidden_norm=True)
    assert count(Mlp(lynx), 1408) == 1409 * 2816 + 2 * 2816 + 2817 * 4096
    assert count(Linear(LinearConfig(out_width=4096, pre_norm=True)), 1024) == 1025 * 4096 + 2 * 1024


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    tokens, pooled = (np.float32(rng.normal(size=size)) for size in ((2, 5, 6), (2, 7)))
    return tokens, np.array([[1, 1, 0, 1, 0], [1, 1, 1, 1, 1]], bool), pooled


def run(module, batch, **kwargs):
    """Soft tokens, and the parameters (drawn, none of them 0 or 1) that made them."""
    tokens, mask, pooled = batch
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), tokens, mask, pooled=pooled))
    rng = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: np.float32(rng.normal(size=leaf.shape)), nn.meta.unbox(shapes))
    return module.apply(params, tokens, mask, pooled=pooled, **kwargs), params["params"]


def dense(x, p):
    return x @ p["kernel"] + p["bias"]


def norm(x, p):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["bias"]


def test_linear(batch):
    soft, p = run(Linear(LinearConfig(out_width=3, pre_norm=True)), batch)
    np.testing.assert_allclose(soft, dense(norm(batch[0], p["pre_norm"]), p["projection"]), atol=1e-5)
    soft, p = run(Linear(LinearConfig(out_width=3)), batch)
    np.testing.assert_allclose(soft, dense(batch[0], p["projection"]), atol=1e-5)


def test_mlp(batch):
    config = MlpConfig(out_width=3, hidden_dim=12, hidden_norm=True, activation="relu")
    soft, p = run(Mlp(config), batch)
    hidden = np.maximum(norm(dense(batch[0], p["wi"]), p["hidden_norm"]), 0)
    np.testing.assert_allclose(soft, dense(hidden, p["wo"]), atol=1e-4)
    plain, p = run(Mlp(MlpConfig(out_width=3, hidden_dim=3, activation="relu")), batch)
    np.testing.assert_allclose(plain, dense(np.maximum(dense(batch[0], p["wi"]), 0), p["wo"]), atol=1e-4)


@pytest.mark.parametrize("activation", [None, "relu"])
def test_s3(batch, activation):
    config = PooledToTokensConfig(
        num_tokens=4,
        out_width=3,
        pool="given",
        unit_length=True,
        hidden_dim=9,
        activation=activation,
        dropout_rate=0.1,
    )
    soft, p = run(PooledToTokens(config), batch)
    hidden = dense(batch[2] / np.linalg.norm(batch[2], axis=-1, keepdims=True), p["hidden"])
    if activation:
        hidden = np.maximum(hidden, 0)
    np.testing.assert_allclose(soft, dense(hidden, p["spread"]).reshape(2, 4, 3), atol=1e-5)


def test_s3_drops_after_both_matrices(batch):
    """Of numbers that pass both matrices as they are a quarter is left, four times as large."""
    config = PooledToTokensConfig(
        num_tokens=50, out_width=20, pool="given", hidden_dim=1000, dropout_rate=0.5
    )
    eye = {"kernel": np.eye(1000, dtype=np.float32), "bias": np.zeros(1000, np.float32)}
    params = {"hidden": eye, "spread": eye}
    given = np.ones((2, 1000), np.float32)
    soft = PooledToTokens(config).apply(
        {"params": params},
        *batch[:2],
        pooled=given,
        deterministic=False,
        rngs={"dropout": jax.random.key(0)},
    )
    np.testing.assert_array_equal(np.unique(soft), [0, 4])
    assert 0.2 < np.mean(np.asarray(soft) > 0) < 0.3


def test_the_mean_of_real_tokens_cut_into_tokens(batch):
    tokens, mask, _ = batch
    soft, p = run(PooledToTokens(PooledToTokensConfig(num_tokens=4, out_width=3, token_width=5)), batch)
    pooled = np.stack([tokens[0, [0, 1, 3]].mean(0), tokens[1].mean(0)])
    np.testing.assert_allclose(
        soft, dense(dense(pooled, p["spread"]).reshape(2, 4, 5), p["projection"]), atol=1e-4
    )
    assert not mean(tokens, np.zeros_like(mask)).any()


def test_what_can_not_be_is_refused(batch):
    tokens, mask, _ = batch
    given = PooledToTokensConfig(num_tokens=4, out_width=3, pool="given")
    with pytest.raises(ConfigError, match="gives no pooled vector; set pool='mean'"):
        PooledToTokens(given).init(jax.random.key(0), tokens, mask)
    with pytest.raises(ConfigError, match="did you mean 'mean'"):
        PooledToTokensConfig(num_tokens=4, out_width=3, pool="meen")
    with pytest.raises(ConfigError, match="activation 'relu' has no layer to follow"):
        PooledToTokensConfig(num_tokens=4, out_width=3, activation="relu")
