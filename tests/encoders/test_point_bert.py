"""PointBERT against the formulas written out in NumPy, groups against brute force, and laws."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import pytree
from unified_io.encoders.point_bert import (
    GroupEncoder,
    PointBert,
    PointBertConfig,
    farthest_points,
    nearest_points,
)
from unified_io.errors import ConfigError

TINY = PointBertConfig(
    width=8, num_heads=2, num_layers=2, mlp_dim=12, num_groups=5, group_size=4, group_dim=6, projection_dim=7
)


@pytest.fixture(scope="module")
def clouds():
    return np.random.default_rng(0).uniform(-1, 1, size=(2, 30, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def params(clouds):
    """All drawn anew: a norm whose scale is one and whose variance is one hides what it does."""
    shapes = nn.meta.unbox(jax.eval_shape(PointBert(TINY).init, jax.random.key(0), clouds))["params"]
    rng = np.random.default_rng(1)

    def draw(name, leaf):
        drawn = rng.normal(scale=0.5, size=leaf.shape)
        return jnp.float32(np.abs(drawn) + 0.1 if name.endswith("variance") else drawn)

    return pytree.map_named(draw, shapes)


@pytest.fixture(scope="module")
def run(params):
    return jax.jit(lambda *inputs: PointBert(TINY).apply({"params": params}, *inputs))


def brute_force_farthest(points, count, start):
    chosen = [start]
    for _ in range(count - 1):
        gaps = [min(((p - points[c]) ** 2).sum() for c in chosen) for p in points]
        chosen.append(int(np.argmax(gaps)))
    return chosen


def brute_force_nearest(points, centre, count):
    return sorted(range(len(points)), key=lambda i: ((points[i] - centre) ** 2).sum())[:count]


def test_groups_are_those_of_brute_force(clouds):
    cloud = clouds[0]
    for start in (0, 17):
        wanted = brute_force_farthest(cloud, 6, start)
        assert farthest_points(jnp.asarray(cloud), 6, start).tolist() == wanted
    found = nearest_points(jnp.asarray(cloud), jnp.asarray(cloud[wanted]), 5)
    assert found.tolist() == [brute_force_nearest(cloud, cloud[i], 5) for i in wanted]


def forward(params, cloud, start):
    """The whole model for one cloud, as the paper's formulas."""
    leaves = {name: np.asarray(leaf, np.float64) for name, leaf in pytree.named_leaves(params).items()}
    cloud = cloud.astype(np.float64)

    def dense(name, x):
        return x @ leaves[f"{name}/kernel"] + leaves.get(f"{name}/bias", 0)

    def batch_norm(name, x):
        p = {leaf: leaves[f"groups/{name}/{leaf}"] for leaf in ("mean", "variance", "scale", "bias")}
        return (x - p["mean"]) / np.sqrt(p["variance"] + 1e-5) * p["scale"] + p["bias"]

    def layer_norm(name, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * leaves[f"{name}/scale"] + leaves[f"{name}/bias"]

    def gelu(x):
        return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))

    centres = cloud[brute_force_farthest(cloud, TINY.num_groups, start)]
    groups = []
    for centre in centres:
        x = cloud[brute_force_nearest(cloud, centre, TINY.group_size)] - centre
        x = dense("groups/first_out", np.maximum(batch_norm("first_norm", dense("groups/first_in", x)), 0))
        x = np.concatenate([np.tile(x.max(0), (len(x), 1)), x], axis=1)
        x = dense("groups/second_out", np.maximum(batch_norm("second_norm", dense("groups/second_in", x)), 0))
        groups.append(x.max(0))
    x = np.vstack([leaves["class_token"], dense("group", np.stack(groups))])
    places = np.vstack([leaves["class_position"], dense("position_out", gelu(dense("position_in", centres)))])
    half = TINY.width // TINY.num_heads
    for i in range(TINY.num_layers):
        x = x + places
        h = layer_norm(f"blocks_{i}/attention_norm", x)
        q, k, v = (dense(f"blocks_{i}/attention/{name}", h) for name in ("query", "key", "value"))
        heads = []
        for head in range(TINY.num_heads):
            part = slice(head * half, (head + 1) * half)
            logits = np.exp(q[:, part] @ k[:, part].T / math.sqrt(half))
            heads.append(logits / logits.sum(1, keepdims=True) @ v[:, part])
        x = x + dense(f"blocks_{i}/attention/out", np.concatenate(heads, axis=1))
        h = gelu(dense(f"blocks_{i}/mlp/wi", layer_norm(f"blocks_{i}/mlp_norm", x)))
        x = x + dense(f"blocks_{i}/mlp/wo", h)
    x = layer_norm("norm", x)
    return x, np.concatenate([x[0], x[1:].max(0)]) @ leaves["projection/kernel"]


@pytest.mark.parametrize("starts", [None, [3, 11]])
def test_the_whole_against_numpy(clouds, params, run, starts):
    features = run(clouds) if starts is None else run(clouds, jnp.array(starts))
    assert features.tokens.shape == (2, 6, 8) and features.mask.all()
    for i, cloud in enumerate(clouds):
        tokens, pooled = forward(params, cloud, starts[i] if starts else 0)
        np.testing.assert_allclose(features.tokens[i], tokens, atol=2e-5, rtol=2e-5)
        np.testing.assert_allclose(features.pooled[i], pooled, atol=5e-5, rtol=5e-5)


def test_the_order_of_points_changes_nothing_if_the_first_centre_is_the_same(clouds, run):
    order = np.random.default_rng(2).permutation(30)
    start = int(np.flatnonzero(order == 0)[0])
    shuffled = run(clouds[:, order], jnp.array([start, start]))
    np.testing.assert_allclose(shuffled.tokens, run(clouds).tokens, atol=1e-5)
    np.testing.assert_allclose(shuffled.pooled, run(clouds).pooled, atol=1e-5)
    assert np.abs(run(clouds[:, order]).pooled - run(clouds).pooled).max() > 1e-3


def test_the_order_of_points_within_a_group_changes_nothing(params):
    groups = jax.random.normal(jax.random.key(0), (1, 2, 4, 3))
    encode = lambda x: GroupEncoder(TINY).apply({"params": params["groups"]}, x)  # noqa: E731
    np.testing.assert_allclose(encode(groups[:, :, jnp.array([2, 0, 3, 1])]), encode(groups), atol=1e-6)
    np.testing.assert_allclose(encode(groups[:, ::-1]), encode(groups)[:, ::-1], atol=1e-6)


def test_a_cloud_beside_others_is_what_it_is_alone(clouds, run):
    np.testing.assert_allclose(run(clouds).pooled[1:], run(clouds[1:]).pooled, atol=1e-5)


def test_statistics_get_no_gradient(clouds, params):
    loss = lambda p: PointBert(TINY).apply({"params": p}, clouds).pooled.sum()  # noqa: E731
    gradient = jax.jit(jax.grad(loss))(params)
    for name, leaf in pytree.named_leaves(gradient).items():
        assert (np.abs(leaf).max() == 0) == name.endswith(("/mean", "/variance")), name


def test_published_size():
    params = jax.eval_shape(PointBert().init, jax.random.key(0), jnp.zeros((1, 8192, 3)))
    names = {name: leaf.shape for name, leaf in pytree.named_leaves(nn.meta.unbox(params["params"])).items()}
    assert names["projection/kernel"] == (768, 512) and names["group/kernel"] == (256, 384)
    assert names["groups/second_in/kernel"] == (512, 512) and "blocks_11/mlp/wi/kernel" in names
    assert not any("attention/query/bias" in name for name in names)


def test_too_few_points_are_refused():
    with pytest.raises(ConfigError, match="cloud of 4 points, but 5 groups of 4 need 5"):
        jax.eval_shape(PointBert(TINY).init, jax.random.key(0), jnp.zeros((1, 4, 3)))
