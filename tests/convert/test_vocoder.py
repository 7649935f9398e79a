"""The published vocoder: its names, its weight norm, and what it computes, against NumPy in PyTorch's layouts."""

import dataclasses
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from unified_io.convert import vocoder
from unified_io.errors import CheckpointError
from unified_io.tokenizers.hifigan import HiFiGAN, HiFiGANConfig

TINY = HiFiGANConfig(
    upsample_rates=(4, 3),
    upsample_kernels=(8, 5),
    channels=8,
    resblock_kernels=(3, 5),
    resblock_dilations=((1, 2), (2, 3)),
    mels=6,
)


def published(config=TINY, seed=0):
    """A checkpoint as it is published, of random numbers."""
    rng = np.random.default_rng(seed)
    shapes = {"conv_pre": (config.channels, config.mels, 7)}
    width = config.channels
    for stage, kernel in enumerate(config.upsample_kernels):
        shapes[f"ups.{stage}"] = (width, width // 2, kernel)
        width //= 2
        for branch, size in enumerate(config.resblock_kernels):
            for conv in range(len(config.resblock_dilations[branch])):
                block = stage * len(config.resblock_kernels) + branch
                shapes[f"resblocks.{block}.convs.{conv}"] = (width, width, size)
    shapes["conv_post"] = (1, width, 7)
    tensors = {}
    for name, shape in shapes.items():
        tensors[f"{name}.weight_g"] = rng.uniform(0.5, 1.5, size=(shape[0], 1, 1))
        tensors[f"{name}.weight_v"] = rng.normal(size=shape)
        tensors[f"{name}.bias"] = rng.normal(size=shape[1 if name.startswith("ups") else 0])
    return {name: array.astype(np.float32) for name, array in tensors.items()}


def effective(tensors, name):
    g, v = tensors[f"{name}.weight_g"], tensors[f"{name}.weight_v"]
    return np.stack([g[i] * v[i] / np.sqrt(np.sum(v[i] ** 2)) for i in range(len(v))])


def convolve(tensors, name, x, dilation=1):
    """x [C, n] with as many zeros at both ends as keep its length."""
    weight = effective(tensors, name)
    reach = dilation * (weight.shape[2] - 1)
    padded = np.pad(x, ((0, 0), (reach // 2, reach // 2)))
    taps = (weight[:, :, k] @ padded[:, k * dilation :][:, : x.shape[1]] for k in range(weight.shape[2]))
    return sum(taps) + tensors[f"{name}.bias"][:, None]


def lengthen(tensors, name, x, rate):
    weight = effective(tensors, name)
    kernel, cut = weight.shape[2], (weight.shape[2] - rate) // 2
    out = np.zeros((weight.shape[1], (x.shape[1] - 1) * rate + kernel))
    for t in range(x.shape[1]):
        out[:, t * rate : t * rate + kernel] += np.einsum("i,iok->ok", x[:, t], weight)
    return out[:, cut : out.shape[1] - cut] + tensors[f"{name}.bias"][:, None]


def leaky(x, slope=0.1):
    return np.where(x > 0, x, slope * x)


def slow_sound(tensors, log_mel, config=TINY):
    x = convolve(tensors, "conv_pre", log_mel.T)
    blocks = len(config.resblock_kernels)
    for stage, rate in enumerate(config.upsample_rates):
        x = lengthen(tensors, f"ups.{stage}", leaky(x), rate)
        branches = []
        for branch, dilations in enumerate(config.resblock_dilations):
            y = x
            for conv, dilation in enumerate(dilations):
                name = f"resblocks.{stage * blocks + branch}.convs.{conv}"
                y = y + convolve(tensors, name, leaky(y), dilation)
            branches.append(y)
        x = np.mean(branches, axis=0)
    return np.tanh(convolve(tensors, "conv_post", leaky(x, 0.01)))[0]


def test_it_sounds_as_published():
    tensors = published()
    log_mel = np.random.default_rng(1).normal(size=(2, 9, 6)).astype(np.float32)
    sound = HiFiGAN(TINY).apply({"params": vocoder.fold(tensors)}, log_mel)
    np.testing.assert_allclose(sound, [slow_sound(tensors, one) for one in log_mel], atol=2e-5)


def leaves(tree, prefix=""):
    for key, value in tree.items():
        yield from leaves(value, f"{prefix}{key}/") if isinstance(value, dict) else [(prefix + key, value)]


def test_plain_weights_and_the_key_of_the_pickle_give_the_same():
    tensors = published()
    expected = dict(leaves(vocoder.fold(tensors)))
    plain = {name: array for name, array in tensors.items() if name.endswith("bias")}
    for name in tensors:
        if name.endswith(".weight_g"):
            plain[f"generator.{name[:-2]}"] = effective(tensors, name.removesuffix(".weight_g"))
    for name, array in leaves(vocoder.fold(plain)):
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected.pop(name), rtol=1e-6)
    assert not expected


def test_load_reads_what_fold_folds(tmp_path):
    path = tmp_path / "vocoder.safetensors"
    save_file(published(), path)
    config, params = vocoder.load(path, TINY)
    assert config is TINY
    expected = dict(leaves(vocoder.fold(published())))
    for name, array in leaves(params):
        np.testing.assert_array_equal(array, expected.pop(name))
    assert not expected


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop("ups.1.weight_g"), "no ups.1.weight_g"),
        (lambda t: t.pop("ups.1.weight_v"), "no ups.1.weight_v"),
        (lambda t: t.pop("conv_post.bias"), "no conv_post.bias"),
        (lambda t: t.update({"mpd.convs.0.bias": np.zeros(1)}), "generator: mpd.convs.0.bias"),
        (lambda t: t.update({"resblocks.0.convs1.0.bias": np.zeros(1)}), "resblocks.0.convs1.0.bias"),
        (lambda t: t.update({"ups.0.weight_g": np.ones((1, 4, 1), np.float32)}), "ups.0.weight_g is"),
        (lambda t: t.update({"conv_pre.bias": np.ones((8, 1), np.float32)}), "conv_pre.bias is [8, 1]"),
        (lambda t: t["ups.0.bias"].fill(np.nan), "ups.0.bias holds NaN"),
    ],
)
def test_fold_names_what_is_wrong(change, named):
    tensors = published()
    change(tensors)
    with pytest.raises(CheckpointError, match=re.escape(named)):
        vocoder.fold(tensors)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"mels": 5}, "conv_pre.weight is [8, 6, 7], the config asks for [8, 5, 7]"),
        ({"upsample_kernels": (8, 7)}, "ups.1.weight is [4, 2, 5], the config asks for [4, 2, 7]"),
        (
            {"resblock_dilations": ((1, 2), (2,))},
            "no place for: resblocks.1.convs.1.bias, resblocks.1.convs.1.weight",
        ),
        ({"resblock_dilations": ((1, 2), (2, 3, 4))}, "what is not there: resblocks.1.convs.2.bias"),
    ],
)
def test_load_names_file_and_tensor(tmp_path, change, named):
    path = tmp_path / "vocoder.safetensors"
    save_file(published(), path)
    with pytest.raises(CheckpointError, match=re.escape(named)) as error:
        vocoder.load(path, dataclasses.replace(TINY, **change))
    assert str(path) in str(error.value)


def test_a_whole_module_may_not_miss(tmp_path):
    path = tmp_path / "vocoder.safetensors"
    save_file({name: array for name, array in published().items() if "conv_pre" not in name}, path)
    with pytest.raises(CheckpointError, match="not there: conv_pre.bias, conv_pre.weight"):
        vocoder.load(path, TINY)


def test_a_pickle_is_read_only_when_told(tmp_path):
    path = tmp_path / "g_00930000"
    path.write_bytes(b"\x80\x04N.")
    with pytest.raises(CheckpointError, match="pickle"):
        vocoder.load(path, TINY)


def test_a_cut_file_is_named(tmp_path):
    path = tmp_path / "vocoder.safetensors"
    save_file(published(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="vocoder.safetensors"):
        vocoder.load(path, TINY)
