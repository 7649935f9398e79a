"""Discriminators: what they see of a picture or a sound, and that they can learn to tell two kinds apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.tokenizers.discriminators import PatchConfig, SoundConfig

PATCH = PatchConfig(channels=8, layers=2, groups=4)
SOUND = SoundConfig(
    periods=(2, 3), period_channels=(4, 8), scales=2, scale_layers=((8, 15, 1, 1), (8, 9, 4, 4))
)


def judge(config, shape, seed=0):
    network = config.build()
    params = network.init(jax.random.key(seed), jnp.zeros(shape))
    return jax.jit(lambda media: network.apply(params, media))


def test_patches_overlap():
    verdict = judge(PATCH, (1, 64, 64, 3))(np.zeros((1, 64, 64, 3), np.float32))
    assert [x.shape for x in verdict.features] == [(1, 32, 32, 8), (1, 16, 16, 16), (1, 15, 15, 32)]
    assert verdict.logits[0].shape == (1, 14, 14, 1)


def test_the_default_judges_a_picture_of_256_pixels_at_30_by_30_places():
    network = PatchConfig().build()  # patches of 70 pixels, as in pix2pix
    look = lambda media: network.init_with_output(jax.random.key(0), media)[0]  # noqa: E731
    verdict = jax.eval_shape(look, jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32))
    assert verdict.logits[0].shape == (1, 30, 30, 1)


def test_a_sound_is_folded_by_every_period():
    look = judge(SOUND, (1, 61))
    still = look(np.zeros((1, 61), np.float32))
    assert len(still.logits) == 4 and len(still.features) == 4 * 3
    sound = np.zeros((1, 61), np.float32)
    sound[0, 30] = 1.0
    changed = look(sound)
    for place, period in enumerate((2, 3)):
        moved = np.abs(np.asarray(changed.logits[place] - still.logits[place])).sum((0, 1, 3))
        assert moved.shape == (period,)
        # Samples that lie another part of the period apart never meet.
        assert moved[30 % period] > 0 and np.delete(moved, 30 % period).max() == 0


def test_each_scale_hears_half_the_rate_of_the_one_before():
    verdict = judge(SOUND, (1, 64))(np.zeros((1, 64), np.float32))
    first, second = (logits.shape[1] for logits in verdict.logits[2:])
    assert first == 16 and second in (8, 9)


@pytest.mark.parametrize("config, shape", [(PATCH, (4, 16, 16, 3)), (SOUND, (4, 64))])
def test_it_learns_to_tell_noise_from_stillness(config, shape):
    network = config.build()
    rng = np.random.default_rng(0)
    params = network.init(jax.random.key(0), jnp.zeros(shape))
    noise, still = rng.normal(size=shape).astype(np.float32), np.full(shape, 0.1, np.float32)

    def loss(params):
        verdicts = zip(network.apply(params, noise).logits, network.apply(params, still).logits, strict=True)
        return sum(jnp.mean((1 - real) ** 2) + jnp.mean(made**2) for real, made in verdicts)

    move = jax.jit(lambda p: jax.tree.map(lambda x, g: x - 0.003 * g, p, jax.grad(loss)(p)))
    before = loss(params)
    for _ in range(100):
        params = move(params)
    assert loss(params) < 0.5 * before


def test_impossible_shapes_are_refused():
    with pytest.raises(ConfigError, match="multiple of groups"):
        PatchConfig(channels=10, groups=4)
    with pytest.raises(ConfigError, match="nobody judges"):
        SoundConfig(periods=(), scales=0)
