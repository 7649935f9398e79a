"""The audio tokenizer: sizes, names, and the order of its codes."""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from unified_io import configuration
from unified_io.errors import ConfigError, DataError
from unified_io.tokenizers.vit_vqgan import (
    PatchProjection,
    TrunkConfig,
    ViTVQGAN,
    ViTVQGANConfig,
    sincos_table,
)

TINY = ViTVQGANConfig(
    width=8, num_heads=2, head_dim=4, num_layers=1, mlp_dim=8, patch=2, codebook_size=32, code_dim=4, frames=6, mels=4
)  # fmt: skip


def build(config):
    model = ViTVQGAN(config)
    spectrograms = np.random.default_rng(0).normal(size=(2, config.frames, config.mels, 1)).astype(np.float32)
    return model, nn.unbox(jax.jit(model.init)(jax.random.key(0), spectrograms)), spectrograms


@pytest.fixture(scope="module")
def tiny():
    return build(TINY)


@pytest.fixture(scope="module")
def blind():
    """Without layers no token sees another: what reaches a code or a patch is its own."""
    return build(dataclasses.replace(TINY, num_layers=0))


@pytest.fixture(scope="module")
def released():
    spectrograms = jax.ShapeDtypeStruct((1, 256, 128, 1), jnp.float32)
    params = nn.unbox(
        jax.eval_shape(ViTVQGAN(ViTVQGANConfig()).init, jax.random.key(0), spectrograms)["params"]
    )
    return {name: leaf.shape for name, leaf in traverse_util.flatten_dict(params, sep="/").items()}


def test_released_parameter_count(released):
    assert sum(map(math.prod, released.values())) == 50_768_416


def test_released_names_and_shapes(released):
    expected = {
        "quantize/embedding": (8192, 32),
        "encoder/embedding/kernel": (64, 512),
        "encoder/embedding/bias": (512,),
        "encoder/encoder_proj/kernel": (512, 32),
        "encoder/encoder_norm/bias": (32,),
        "decoder/decoder_proj/kernel": (32, 512),
        "decoder/ConvTranspose_0/kernel": (8, 8, 512, 1),
    }
    for half in ("encoder", "decoder"):
        trunk = f"{half}/Transformer_0"
        expected |= {f"{trunk}/encoder_norm/{leaf}": (512,) for leaf in ("scale", "bias")}
        for layer in range(8):
            block = f"{trunk}/encoderblock_{layer}"
            for norm in (0, 1):
                expected |= {f"{block}/LayerNormWithBias_{norm}/{leaf}": (512,) for leaf in ("scale", "bias")}
            for name in ("query", "key", "value", "out"):
                expected[f"{block}/MultiHeadDotProductAttention_0/{name}/kernel"] = (512, 512)
            for index, (fan_in, fan_out) in enumerate(((512, 2048), (2048, 512))):
                expected[f"{block}/MlpBlock_0/DenseGeneral_{index}/kernel"] = (fan_in, fan_out)
                expected[f"{block}/MlpBlock_0/DenseGeneral_{index}/bias"] = (fan_out,)
    assert released == expected


def test_training_sees_what_encode_and_decode_do(tiny):
    model, params, spectrograms = tiny
    out = jax.jit(model.apply)(params, spectrograms)
    codes = model.apply(params, spectrograms, method=model.encode)
    assert codes.shape == (2, 6)
    assert codes.dtype == jnp.int32
    np.testing.assert_array_equal(out.codes, codes)
    np.testing.assert_allclose(out.media, model.apply(params, codes, method=model.decode), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(out.z, axis=-1), 1.0, rtol=1e-5)


def test_the_decoder_may_have_other_sizes(tiny):
    trunk = TrunkConfig(width=12, num_heads=3, head_dim=2, num_layers=2, mlp_dim=10)
    config = dataclasses.replace(TINY, decoder=trunk)
    model, params, spectrograms = build(config)
    shapes, same = (
        {"/".join(path): leaf.shape for path, leaf in traverse_util.flatten_dict(tree["params"]).items()}
        for tree in (params, tiny[1])
    )
    halves = [{name: s for name, s in x.items() if name.startswith("encoder")} for x in (shapes, same)]
    assert halves[0] == halves[1]
    last = "decoder/Transformer_0/encoderblock_1"
    assert shapes[f"{last}/MultiHeadDotProductAttention_0/query/kernel"] == (12, 6)
    assert shapes[f"{last}/MlpBlock_0/DenseGeneral_0/kernel"] == (12, 10)
    assert shapes["decoder/ConvTranspose_0/kernel"] == (2, 2, 12, 1)
    assert model.apply(params, spectrograms).media.shape == spectrograms.shape
    assert configuration.from_json(configuration.to_json(config)) == config


@pytest.mark.parametrize(("time", "mel"), [(0, 0), (0, 1), (1, 0), (2, 1)])
def test_codes_run_through_time(blind, time, mel):
    """On a grid of 3 times and 2 mels, code `2 * time + mel` belongs to the patch at (time, mel)."""
    model, params, spectrograms = blind
    window = (slice(None), slice(2 * time, 2 * time + 2), slice(2 * mel, 2 * mel + 2))
    changed = spectrograms.copy()
    changed[window] = -changed[window]
    place = 2 * time + mel
    z, other = (model.apply(params, x).z for x in (spectrograms, changed))
    np.testing.assert_array_equal(np.abs(z - other).max((0, 2)) > 1e-6, np.arange(6) == place)

    codes = jnp.zeros((1, 6), jnp.int32)
    media, other = (model.apply(params, c, method=model.decode) for c in (codes, codes.at[0, place].set(7)))
    differs = np.zeros((6, 4), bool)
    differs[window[1:]] = True
    np.testing.assert_array_equal(np.abs(media - other)[0, :, :, 0] > 1e-7, differs)


def test_constant_spectrograms_give_numbers(tiny):
    model, params, _ = tiny

    def loss(params, spectrograms):
        out = model.apply(params, spectrograms)
        return jnp.mean(jnp.square(out.media - spectrograms)) + out.codebook_loss + out.commitment_loss

    gradient = jax.jit(jax.value_and_grad(loss))
    for value in (0.0, 1.33):
        found = gradient(params, jnp.full((1, 6, 4, 1), value))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


def test_patch_projection_is_the_convolution_of_the_dilated_input():
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 5)).astype(np.float32)
    params = PatchProjection(4).init(jax.random.key(0), x.reshape(1, 6, 5))
    patches = PatchProjection(4).apply(params, x.reshape(1, 6, 5)).reshape(2, 3, 4, 4)
    convolved = nn.ConvTranspose(1, (4, 4), (4, 4), use_bias=False).apply(nn.unbox(params), x)
    np.testing.assert_allclose(patches.transpose(0, 2, 1, 3).reshape(8, 12), convolved[0, :, :, 0], atol=1e-5)


def test_position_table():
    """Columns first, then rows; each is [sin, cos]. A row of the grid after the other."""
    sin, cos = np.sin(1.0), np.cos(1.0)
    expected = [[0, 1, 0, 1], [sin, cos, 0, 1], [0, 1, sin, cos], [sin, cos, sin, cos]]
    np.testing.assert_allclose(sincos_table(2, 2, 4), expected, rtol=1e-6)


def test_errors_say_what_to_do(tiny):
    model, params, _ = tiny
    with pytest.raises(DataError, match="MelConfig"):
        model.apply(params, jnp.zeros((1, 4, 6, 1)), method=model.encode)
    with pytest.raises(DataError, match="3 x 2"):
        model.apply(params, jnp.zeros((1, 5), jnp.int32), method=model.decode)
    with pytest.raises(ConfigError, match="use multiples"):
        ViTVQGANConfig(frames=60)
    with pytest.raises(ConfigError, match="multiple of 4"):
        ViTVQGANConfig(width=30)
    with pytest.raises(ConfigError, match="multiple of 4"):
        ViTVQGANConfig(decoder=TrunkConfig(width=30))
