"""The image ViT: released tree and size, and laws."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.vit import Vit, VitConfig, resize_positions
from unified_io.errors import ConfigError

CONFIG = VitConfig(width=8, num_heads=2, num_layers=3, mlp_dim=12, grid=(2, 3))
B, P, C = 2, 5, 4


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    patches = jnp.float32(rng.normal(size=(B, P, C)))
    mask = jnp.ones((B, P), bool).at[0, 3:].set(False)
    positions = jnp.asarray(np.stack([rng.permutation(16)[:P] for _ in range(B)]))
    return patches, mask, positions


@pytest.fixture(scope="module")
def params(inputs):
    return nn.meta.unbox(jax.jit(lambda *a: Vit(CONFIG).init(jax.random.key(0), *a, (4, 4)))(*inputs))


@pytest.fixture(scope="module")
def run(params):
    return jax.jit(lambda *inputs: Vit(CONFIG).apply(params, *inputs, (4, 4)))


def test_the_released_tree_and_size():
    arguments = jnp.zeros((1, 4, 768)), jnp.ones((1, 4), bool), jnp.zeros((1, 4), jnp.int32), (24, 24)
    boxed = jax.eval_shape(lambda: Vit().init(jax.random.key(0), *arguments))["params"]
    params = nn.meta.unbox(boxed)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 80_283_904 - 1024 - 1536 * 1024
    names = {
        "/".join(key.key for key in path): leaf.shape for path, leaf in jax.tree.leaves_with_path(params)
    }
    block = "Transformer_0/ResidualAttentionBlock_10/"
    assert names["class_embedding"] == (768,)
    assert names["positional_embedding"] == (197, 768)
    assert names["embedding/kernel"] == (768, 768)
    assert names["pre_ln/bias"] == (768,)
    assert names[block + "ln_2/scale"] == (768,)
    assert names[block + "MultiHeadDotProductAttention_0/out/bias"] == (768,)
    assert names[block + "MLP_0/c_fc/kernel"] == (768, 3072)
    assert names[block + "MLP_0/c_proj/bias"] == (768,)
    assert "embedding/bias" not in names and "Transformer_0/ResidualAttentionBlock_11/ln_1/bias" not in names
    assert boxed["positional_embedding"].names == ("abspos_buckets", "embed")


def test_two_features_are_the_last_and_the_second_block(inputs, params, run):
    last, second = run(*inputs)
    assert last.shape == second.shape == (B, P, 8)
    short = {**params["params"]}
    short["Transformer_0"] = {k: v for k, v in short["Transformer_0"].items() if not k.endswith("_2")}
    two = VitConfig(width=8, num_heads=2, num_layers=2, mlp_dim=12, grid=(2, 3))
    last_of_two, second_of_two = Vit(two).apply({"params": short}, *inputs, (4, 4))
    np.testing.assert_allclose(last_of_two, second, atol=1e-6)
    np.testing.assert_array_equal(last_of_two, second_of_two)
    assert np.abs(last - second).max() > 0.1


def test_masked_patches_change_nothing(inputs, run):
    patches, mask, positions = inputs
    changed = run(patches.at[0, 3:].set(9.0), mask, positions.at[0, 3:].set(0))
    for a, b in zip(run(*inputs), changed, strict=True):
        np.testing.assert_array_equal(a[mask], b[mask])


def test_order_of_patches_does_not_matter_but_positions_do(inputs, run):
    order = jnp.array([4, 2, 0, 1, 3])
    shuffled = run(*(x[:, order] for x in inputs))
    for a, b in zip(run(*inputs), shuffled, strict=True):
        np.testing.assert_allclose(a[:, order], b, atol=1e-5)
    patches, mask, positions = inputs
    assert np.abs(run(patches, mask, positions[:, order])[0] - run(*inputs)[0]).max() > 1e-2


def test_own_grid_is_taken_as_it_is_and_constants_stay_constants():
    table = jnp.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(resize_positions(table, (2, 3), (2, 3)), table)
    resized = resize_positions(jnp.ones((6, 2)), (2, 3), (5, 2))
    np.testing.assert_allclose(resized, np.ones((10, 2)), atol=1e-6)


def test_rows_come_before_columns():
    """A table that grows with the row only still does so on a larger grid."""
    table = jnp.repeat(jnp.arange(2.0), 3)[:, None]
    grown = np.asarray(resize_positions(table, (2, 3), (4, 6))).reshape(4, 6)
    np.testing.assert_allclose(grown, np.broadcast_to(grown[:, :1], grown.shape), atol=1e-6)
    assert (np.diff(grown[:, 0]) > 0).all()


def test_gradients_are_not_stopped(inputs, params):
    gradient = jax.jit(jax.grad(lambda p: Vit(CONFIG).apply(p, *inputs, (4, 4))[0].sum()))(params)
    assert all(
        np.abs(leaf).max() > 0 for path, leaf in jax.tree.leaves_with_path(gradient) if "key" not in str(path)
    )


def test_gin_hands_lists_over_and_bad_sizes_are_errors():
    assert VitConfig(grid=[2, 3]).grid == (2, 3)
    with pytest.raises(ConfigError, match="multiple of num_heads"):
        VitConfig(width=10, num_heads=4)
    with pytest.raises(ConfigError, match="blocks are 0 to 0"):
        VitConfig(num_layers=1)
