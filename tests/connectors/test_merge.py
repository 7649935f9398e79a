"""Segments of a medium: what each kind of merge gives its connector, and what comes out."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.connectors.base import ConnectorConfig, Instruction
from unified_io.connectors.linear import Linear, LinearConfig, PooledToTokens, PooledToTokensConfig
from unified_io.connectors.merge import Merge, MergeConfig
from unified_io.connectors.resampler import Resampler, ResamplerConfig
from unified_io.errors import ConfigError

RESAMPLER = ResamplerConfig(width=8, num_heads=2, head_dim=4, mlp_dim=12, num_latents=3)


class Spy(nn.Module):
    """A connector that gives back what it is given: a token's first number, its row's first word, a row's pooled."""

    config: ConnectorConfig = LinearConfig(out_width=3)

    def __call__(self, tokens, mask, *, pooled=None, instruction=None, deterministic=True):
        word = instruction.ids[:, :1] * jnp.ones(mask.shape)
        return jnp.stack([tokens[..., 0], word, pooled[:, :1] * jnp.ones(mask.shape)], axis=-1)


@pytest.fixture(scope="module")
def media():
    """Two media of three segments of four tokens; the last segment of the first is not there."""
    tokens = jnp.arange(2 * 3 * 4, dtype=jnp.float32).reshape(2, 3, 4, 1)
    mask = jnp.ones((2, 3, 4), bool).at[0, 2].set(False).at[1, 1, 0].set(False)
    pooled = 100 * jnp.arange(1.0, 7.0).reshape(2, 3, 1)
    instruction = Instruction(jnp.array([[7, 0], [9, 0]]), jnp.ones((2, 2), bool))
    return tokens, mask, {"pooled": pooled, "instruction": instruction}


def run(config, media, connector=None):
    tokens, mask, others = media
    merge = Merge(config, connector or Spy())
    variables = merge.init(jax.random.key(0), tokens, mask, **others)
    return merge.apply(variables, tokens, mask, **others)


def test_each_segment_is_read_with_the_words_of_its_own_medium(media):
    soft = run(MergeConfig(), media)
    np.testing.assert_array_equal(soft[..., 0], np.arange(24).reshape(2, 12))
    np.testing.assert_array_equal(soft[..., 1], [[7] * 12, [9] * 12])
    np.testing.assert_array_equal(soft[..., 2], np.repeat(100 * np.arange(1, 7), 4).reshape(2, 12))


def test_all_tokens_at_once(media):
    soft = run(MergeConfig(kind="concat_tokens"), media)
    np.testing.assert_array_equal(soft[..., 0], np.arange(24).reshape(2, 12))
    np.testing.assert_array_equal(soft[..., 1], [[7] * 12, [9] * 12])
    np.testing.assert_array_equal(soft[..., 2], [[150.0] * 12, [500.0] * 12])  # means of real segments


def test_the_mean_of_segments(media):
    soft = run(MergeConfig(kind="mean_pool"), media)
    np.testing.assert_array_equal(soft[0, :, 0], [2, 3, 4, 5])  # of two segments
    np.testing.assert_array_equal(soft[1, :, 0], [16, 17, 18, 19])
    np.testing.assert_array_equal(soft[..., 2], [[150.0] * 4, [500.0] * 4])


@pytest.mark.parametrize(
    ("kind", "every_token", "fixed"),
    [
        ("per_segment", 12, 9),
        ("concat_tokens", 12, 3),
        ("mean_pool", 4, 3),
    ],
)
def test_how_many_soft_tokens_and_which_are_real(media, kind, every_token, fixed):
    config, mask = MergeConfig(kind=kind), media[1]
    linear = LinearConfig(out_width=3)
    assert (config.soft_tokens(linear, 3, 4), config.soft_tokens(RESAMPLER, 3, 4)) == (every_token, fixed)
    real = np.asarray(config.soft_mask(RESAMPLER, mask))
    assert real.shape == (2, fixed) and real[1].all()
    assert real[0].sum() == (6 if kind == "per_segment" else 3)
    tokens = np.asarray(config.soft_mask(linear, mask))
    wanted = mask.any(axis=1) if kind == "mean_pool" else mask.reshape(2, 12)
    np.testing.assert_array_equal(tokens, wanted)


@pytest.mark.parametrize("kind", ["per_segment", "concat_tokens", "mean_pool"])
def test_a_segment_that_is_not_there_changes_nothing(kind):
    rng = np.random.default_rng(0)
    tokens = jnp.float32(rng.normal(size=(2, 3, 4, 8)))
    mask = jnp.ones((2, 3, 4), bool).at[0, 2].set(False)
    config = MergeConfig(kind=kind, positions=3 if kind == "concat_tokens" else 0)
    merge = Merge(config, Resampler(RESAMPLER))
    variables = jax.jit(merge.init)(jax.random.key(0), tokens, mask)
    run = jax.jit(lambda tokens, mask: merge.apply(variables, tokens, mask))
    real = config.soft_mask(RESAMPLER, mask)[..., None]
    wanted = jnp.where(real, run(tokens, mask), 0)
    np.testing.assert_array_equal(jnp.where(real, run(tokens.at[0, 2].set(9.0), mask), 0), wanted)
    alone = run(tokens[:, :2], mask[:, :2])
    np.testing.assert_allclose(wanted[0, : alone.shape[1]], alone[0], atol=1e-5)


def test_segments_that_have_positions():
    """Lynx: one vector a frame, added to all of its tokens."""
    tokens, mask = jnp.zeros((1, 5, 7, 1408)), jnp.ones((1, 5, 7), bool)
    merge = Merge(MergeConfig(kind="concat_tokens", positions=5), Linear(LinearConfig(out_width=2)))
    soft, variables = jax.jit(merge.init_with_output)(jax.random.key(0), tokens, mask)
    params = nn.meta.unbox(variables)["params"]
    table = params["segment_positions"]
    assert table.shape == (5, 1408)
    assert abs(np.std(table) - 0.02) < 0.002
    wanted = table @ params["connector"]["projection"]["kernel"]
    np.testing.assert_allclose(soft.reshape(5, 7, 2), np.repeat(wanted[:, None], 7, 1), atol=1e-5)


def test_clips_of_a_sound_as_s3_has_them(media):
    tokens, mask, others = media
    config = PooledToTokensConfig(num_tokens=2, out_width=3, pool="given", unit_length=True)
    soft = run(MergeConfig(kind="mean_pool"), media, PooledToTokens(config))
    assert soft.shape == (2, 2, 3)
    scaled = tokens, mask, others | {"pooled": 3 * others["pooled"]}
    np.testing.assert_allclose(
        run(MergeConfig(kind="mean_pool"), scaled, PooledToTokens(config)), soft, atol=1e-6
    )


def test_one_connector_serves_two_merges():
    """Lynx: images without and videos with positions, through one resampler."""

    class Both(nn.Module):
        def setup(self):
            self.resampler = Resampler(RESAMPLER)
            self.image = Merge(MergeConfig(kind="concat_tokens"), self.resampler)
            self.video = Merge(MergeConfig(kind="concat_tokens", positions=2), self.resampler)

        def __call__(self, tokens, mask):
            return self.image(tokens, mask), self.video(tokens, mask)

    tokens, mask = jnp.ones((1, 2, 3, 8)), jnp.ones((1, 2, 3), bool)
    params = jax.eval_shape(lambda: Both().init(jax.random.key(0), tokens, mask))["params"]
    assert params.keys() == {"resampler", "video"} and params["video"].keys() == {"segment_positions"}


def test_what_can_not_be_is_refused(media):
    with pytest.raises(ConfigError, match="3 segments but positions for 2; take fewer segments"):
        run(MergeConfig(kind="concat_tokens", positions=2), media)
    with pytest.raises(ConfigError, match="positions is 2 but per_segment has none"):
        MergeConfig(positions=2)
    with pytest.raises(ConfigError, match="did you mean 'mean_pool'"):
        MergeConfig(kind="meanpool")
