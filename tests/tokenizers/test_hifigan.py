"""The vocoder: sizes, names, lengths and its transposed convolutions."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from unified_io import configuration
from unified_io.errors import ConfigError, DataError
from unified_io.mel import MelConfig
from unified_io.tokenizers.hifigan import HiFiGAN, HiFiGANConfig

TINY = HiFiGANConfig(
    upsample_rates=(5, 2),
    upsample_kernels=(9, 2),
    channels=8,
    resblock_kernels=(3, 5),
    resblock_dilations=((1, 2), (3,)),
    mels=6,
)


@pytest.fixture(scope="module")
def tiny():
    model = HiFiGAN(TINY)
    log_mel = np.random.default_rng(0).normal(size=(2, 7, 6)).astype(np.float32)
    return model, jax.jit(model.init)(jax.random.key(0), log_mel), log_mel


def test_released_names_and_shapes():
    log_mel = jax.ShapeDtypeStruct((1, 256, 128), jnp.float32)
    params = jax.eval_shape(HiFiGAN().init, jax.random.key(0), log_mel)["params"]
    shapes = {name: leaf.shape for name, leaf in traverse_util.flatten_dict(params, sep="/").items()}
    expected = {"conv_pre/kernel": (7, 128, 256), "conv_post/kernel": (7, 32, 1)}
    for stage, (kernel, width) in enumerate(((16, 128), (16, 64), (8, 32))):
        expected[f"ups_{stage}/kernel"] = (kernel, 2 * width, width)
        for branch, size in enumerate((3, 5, 7)):
            for conv in (0, 1):
                expected[f"resblocks_{3 * stage + branch}/convs_{conv}/kernel"] = (size, width, width)
    expected |= {
        f"{name.removesuffix('/kernel')}/bias": (shape[-1],) for name, shape in list(expected.items())
    }
    assert shapes == expected
    assert HiFiGANConfig().total_stride == MelConfig().hop


@pytest.mark.parametrize("frames", [1, 2, 13])
def test_a_frame_is_total_stride_samples(tiny, frames):
    model, params, _ = tiny
    log_mel = 20 * np.random.default_rng(frames).normal(size=(3, frames, 6))
    sound = model.apply(params, log_mel.astype(np.float32))
    assert TINY.total_stride == 10
    assert sound.shape == (3, 10 * frames)
    assert np.abs(sound).max() <= 1 and np.std(sound) > 0


def test_sound_follows_its_frame(tiny):
    """What changes in one frame is heard there and near it, not far away and not in another row."""
    model, params, _ = tiny
    log_mel = np.random.default_rng(1).normal(size=(2, 40, 6)).astype(np.float32)
    changed = log_mel.copy()
    changed[0, 20] += 1
    differs = np.abs(model.apply(params, changed) - model.apply(params, log_mel)) > 0
    heard = np.flatnonzero(differs[0]) / TINY.total_stride
    assert heard.min() <= 20 and heard.max() >= 20.9
    assert heard.min() > 12 and heard.max() < 29
    assert not differs[1].any()


@pytest.mark.parametrize(("rate", "kernel"), [(4, 8), (5, 5), (3, 9)])
def test_a_stage_scatters_its_kernel(rate, kernel):
    """Sample t lays its kernel, reversed in our layout, from rate * t on; as much is cut off both ends."""
    rng = np.random.default_rng(0)
    config = dataclasses.replace(TINY, upsample_rates=(rate,), upsample_kernels=(kernel,), channels=6)
    model = HiFiGAN(config)
    log_mel = rng.normal(size=(1, 4, 6)).astype(np.float32)
    params = model.init(jax.random.key(0), log_mel)
    bias = rng.normal(size=3).astype(np.float32)
    params["params"]["ups_0"]["bias"] = jnp.asarray(bias)
    _, seen = model.apply(params, log_mel, capture_intermediates=True)
    before, after = (seen["intermediates"][name]["__call__"][0][0] for name in ("conv_pre", "ups_0"))
    before = np.where(before > 0, before, 0.1 * np.asarray(before))
    scattered = np.zeros((3 * rate + kernel, 3))
    for t, vector in enumerate(before):
        scattered[rate * t : rate * t + kernel] += vector @ params["params"]["ups_0"]["kernel"][::-1]
    cut = (kernel - rate) // 2
    np.testing.assert_allclose(after, scattered[cut : cut + 4 * rate] + bias, atol=1e-5)


def test_gradients_are_numbers(tiny):
    model, params, log_mel = tiny
    for value in (log_mel, np.zeros_like(log_mel), np.full_like(log_mel, -11.5)):
        gradient = jax.grad(lambda p, x: jnp.sum(jnp.square(model.apply(p, x))))(params, value)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_a_config_survives_json_and_lists():
    assert configuration.from_json(configuration.to_json(TINY)) == TINY
    lists = {key: [*value] for key, value in dataclasses.asdict(TINY).items() if isinstance(value, tuple)}
    lists["resblock_dilations"] = [[1, 2], [3]]
    assert HiFiGANConfig(**{**dataclasses.asdict(TINY), **lists}) == TINY
    assert math.prod(TINY.upsample_rates) == TINY.total_stride


def test_other_bands_are_named(tiny):
    model, params, _ = tiny
    for shape in ((1, 7, 5), (7, 6), (1, 6, 7, 1)):
        with pytest.raises(DataError, match=r"\[B, frames, 6\]"):
            model.apply(params, jnp.zeros(shape))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"upsample_kernels": (9,)}, "one of each a stage"),
        ({"upsample_kernels": (8, 2)}, "5 plus an even number"),
        ({"upsample_kernels": (3, 2)}, "can not lengthen"),
        ({"upsample_rates": (0, 2), "upsample_kernels": (2, 2)}, "can not lengthen"),
        ({"channels": 6}, "multiple of 4"),
        ({"channels": 0}, "channels 0"),
        ({"resblock_kernels": (3,)}, "1 resblock_kernels but 2"),
        ({"resblock_kernels": (), "resblock_dilations": ()}, "at least one block"),
        ({"resblock_kernels": (3, 4)}, r"\[4\] are even"),
    ],
)
def test_config_errors_say_what_to_do(wrong, match):
    with pytest.raises(ConfigError, match=match):
        dataclasses.replace(TINY, **wrong)
