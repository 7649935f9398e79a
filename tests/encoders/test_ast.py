"""The audio spectrogram transformer: released tree and size, positions, and laws."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.ast import AstConfig, AudioSpectrogramTransformer, table_rows
from unified_io.errors import ConfigError

CONFIG = AstConfig(width=8, num_heads=2, num_layers=2, mlp_dim=12, grid=(3, 2), num_positions=6)


def test_rows_of_the_docstring():
    np.testing.assert_array_equal(table_rows(jnp.arange(6), (3, 2)), [0, 3, 1, 4, 2, 5])
    assert "0 3 1 4 2 5" in table_rows.__doc__


def test_released_rows():
    """Patch (t, f) of the 16 x 8 grid takes row f * 16 + t."""
    time, mel = np.divmod(np.arange(128), 8)
    np.testing.assert_array_equal(table_rows(jnp.arange(128), (16, 8)), mel * 16 + time)


def test_a_shorter_sound_keeps_its_rows():
    whole = np.asarray(table_rows(jnp.arange(6), (3, 2)))
    np.testing.assert_array_equal(table_rows(jnp.arange(4), (3, 2)), whole[:4])


def test_the_released_tree_and_size():
    arguments = jnp.zeros((1, 4, 256)), jnp.ones((1, 4), bool), jnp.zeros((1, 4), jnp.int32), (16, 8)
    model = AudioSpectrogramTransformer()
    params = nn.meta.unbox(jax.eval_shape(lambda: model.init(jax.random.key(0), *arguments)))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 80_134_144 - 1024 - 1536 * 1024
    names = {
        "/".join(key.key for key in path): leaf.shape for path, leaf in jax.tree.leaves_with_path(params)
    }
    block = "Transformer_0/ResidualAttentionBlock_0/"
    assert names["cls_token"] == names["dist_token"] == names["embedding/bias"] == (768,)
    assert names["pos_embed"] == (514, 768)
    assert names[block + "norm1/bias"] == names[block + "norm2/scale"] == (768,)
    assert names[block + "MLP_0/fc1/kernel"] == (768, 3072)
    assert names[block + "MLP_0/fc2/kernel"] == (3072, 768)
    assert "pre_ln/scale" not in names


def test_masked_patches_change_nothing_and_order_does_not_matter():
    rng = np.random.default_rng(0)
    patches, positions = jnp.float32(rng.normal(size=(1, 5, 4))), jnp.array([[4, 0, 2, 5, 1]])
    mask = jnp.array([[True, True, True, False, False]])
    model = AudioSpectrogramTransformer(CONFIG)
    params = jax.jit(lambda *a: model.init(jax.random.key(0), *a, (3, 2)))(patches, mask, positions)
    run = jax.jit(lambda *a: model.apply(params, *a, (3, 2)))
    wanted = run(patches, mask, positions)
    changed = run(patches.at[:, 3:].set(9.0), mask, positions.at[:, 3:].set(0))
    order = jnp.array([2, 0, 4, 1, 3])
    shuffled = run(patches[:, order], mask[:, order], positions[:, order])
    for a, b, c in zip(wanted, changed, shuffled, strict=True):
        assert a.shape == (1, 5, 8)
        np.testing.assert_array_equal(a[mask], b[mask])
        np.testing.assert_allclose(a[:, order][mask[:, order]], c[mask[:, order]], atol=1e-5)
    moved = run(patches, mask, (positions + 1) % 6)
    assert np.abs(moved[0] - wanted[0])[mask].max() > 1e-2


def test_a_sound_that_is_too_long_is_an_error():
    arguments = jnp.zeros((1, 4, 4)), jnp.ones((1, 4), bool), jnp.zeros((1, 4), jnp.int32)
    with pytest.raises(ConfigError, match="positions reach"):
        AudioSpectrogramTransformer(CONFIG).init(jax.random.key(0), *arguments, (4, 2))
    with pytest.raises(ConfigError, match="does not fit into num_positions 6"):
        AstConfig(grid=(4, 2), num_positions=6)
