"""HTS-AT: what it makes of a spectrogram before and after its transformer, its size, and laws."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.clap import Clap, ClapConfig, fold, seams, stretching, unfold, window_offsets
from unified_io.errors import ConfigError

CONFIG = ClapConfig(
    side=32, mels=16, patch=4, width=4, depths=(2, 1), num_heads=(1, 2), window=2, projection_dim=3
)


@pytest.fixture(scope="module")
def mel():
    return np.random.default_rng(0).normal(size=(2, 64, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def params(mel):
    return nn.meta.unbox(jax.jit(Clap(CONFIG).init)(jax.random.key(0), mel))


def test_the_released_size():
    """Stage by stage; the mean and the variance of the mel bands count too."""
    boxed = jax.eval_shape(Clap().init, jax.random.key(0), jnp.zeros((1, 1001, 64)))["params"]
    params = nn.meta.unbox(boxed)
    stage = sum(
        depth * (12 * w**2 + 13 * w + 225 * heads) + (8 * w**2 + 8 * w) * (i < 3)
        for i, (depth, heads, w) in enumerate(
            zip((2, 2, 6, 2), (4, 8, 16, 32), (96, 192, 384, 768), strict=True)
        )
    )
    rest = 4 * 64 + (16 * 96 + 96) + 2 * 96 + 2 * 768 + (768 * 512 + 512) + (512 * 512 + 512)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == stage + rest
    assert params["stage_2_block_5"]["windows"]["offset_bias"].shape == (225, 16)
    features = jax.eval_shape(Clap().apply, {"params": params}, jnp.zeros((1, 1001, 64)))
    assert features.tokens.shape == (1, 64, 768) and features.pooled.shape == (1, 512)


def test_pieces_lie_below_each_other():
    mel = jnp.asarray([[[0, 10], [1, 11], [2, 12], [3, 13]]])
    np.testing.assert_array_equal(fold(mel, 2)[0], [[0, 1], [10, 11], [2, 3], [12, 13]])


def test_unfolding_brings_time_and_bands_back():
    mel = jnp.arange(24.0).reshape(1, 6, 4)
    np.testing.assert_array_equal(unfold(fold(mel, 3)[..., None], 3)[0, :, 0], mel[0].T.reshape(-1))


def test_stretching_keeps_ends_and_straight_lines():
    matrix = stretching(5, 9)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(matrix[[0, -1]], np.eye(5)[[0, -1]], atol=1e-6)
    # at every second of nine places lies one of the five
    np.testing.assert_allclose(matrix[::2], np.eye(5), atol=1e-6)
    # half way between two, away from the ends: Keys' weights with a = -0.75
    np.testing.assert_allclose(matrix[3], [-0.09375, 0.59375, 0.59375, -0.09375, 0.0], atol=1e-6)


def test_an_offset_has_one_row_wherever_it_is():
    table = window_offsets(3)
    assert table.min() == 0 and table.max() == 24 and len(np.unique(table)) == 25
    assert table[0, 1] == table[4, 5] == table[7, 8]
    assert table[0, 0] == 12 and table[0, 1] != table[1, 0]


def test_opposite_edges_do_not_see_each_other():
    seen = seams(4, 4, 2)[:, 0]
    assert seen[0].all()  # the first window is whole
    # the last window after a roll by one: four corners of the square
    np.testing.assert_array_equal(seen[3], np.eye(4, dtype=bool))
    np.testing.assert_array_equal(seen[1][0], [True, False, True, False])


def test_far_tokens_reach_each_other_only_through_shifted_windows(mel, params):
    """One block a stage has no shift: a token of the first stage changes its own window alone."""
    config = ClapConfig(
        side=32, mels=16, patch=4, width=4, depths=(1,), num_heads=(1,), window=2, projection_dim=None
    )
    own = {
        name: value
        for name, value in params["params"].items()
        if not name.startswith(("stage_1", "stage_0_block_1"))
    }
    own = {
        name: value for name, value in own.items() if not name.startswith(("projection", "stage_0_merging"))
    }
    own["norm"] = {"scale": jnp.ones(4), "bias": jnp.zeros(4)}

    def changed(config, own):
        run = jax.jit(Clap(config).apply)
        before, after = (run({"params": own}, x).tokens[0] for x in (mel, mel + bump))
        return int((np.abs(before - after).max(axis=-1) > 1e-6).sum())

    bump = np.zeros_like(mel)
    bump[0, :4, :4] = 1.0
    assert changed(config, own) == 4
    own["stage_0_block_1"] = params["params"]["stage_0_block_1"]
    two = ClapConfig(
        side=32, mels=16, patch=4, width=4, depths=(2,), num_heads=(1,), window=2, projection_dim=None
    )
    assert changed(two, own) == 9


def test_a_batch_of_one_is_a_row_of_a_batch_of_two(mel, params):
    both, one = (jax.jit(Clap(CONFIG).apply)(params, x) for x in (mel, mel[1:]))
    np.testing.assert_allclose(both.tokens[1:], one.tokens, atol=1e-5)
    np.testing.assert_allclose(both.pooled[1:], one.pooled, atol=1e-5)


def test_bad_sizes_are_errors(mel, params):
    with pytest.raises(ConfigError, match="at most 64 and 16"):
        Clap(CONFIG).apply(params, np.zeros((1, 65, 16), np.float32))
    with pytest.raises(ConfigError, match="multiple of 64"):
        ClapConfig(side=250, mels=125, depths=(2, 2), num_heads=(1, 1))
    with pytest.raises(ConfigError, match="same stages"):
        ClapConfig(depths=(2, 2))
    with pytest.raises(ConfigError, match="its 5 heads"):
        ClapConfig(num_heads=(4, 8, 16, 5))
    assert ClapConfig(depths=[2, 2, 6, 2]).depths == (2, 2, 6, 2)
