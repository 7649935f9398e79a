"""The audio tokenizer against the official PyTorch port, whose spectrograms are [mel, time]."""

import json
import re

import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import load_file

from unified_io.tokenizers.quantizer import squared_distances, unit
from unified_io.tokenizers.vit_vqgan import ViTVQGAN, ViTVQGANConfig, sincos_table

RENAMES = (
    (r"\.transformer\.", ".Transformer_0."),
    (r"\.attn\.", ".MultiHeadDotProductAttention_0."),
    (r"\.mlp\.fc1\.", ".MlpBlock_0.DenseGeneral_0."),
    (r"\.mlp\.fc2\.", ".MlpBlock_0.DenseGeneral_1."),
    (r"\.ln_1\.", ".LayerNormWithBias_0."),
    (r"\.ln_2\.", ".LayerNormWithBias_1."),
    (r"\.conv_transpose\.", ".ConvTranspose_0."),
    (r"((?:norm|LayerNormWithBias_\d)\.)weight", r"\1scale"),
    (r"embedding\.weight$", "embedding"),
    (r"encoder\.embedding$", "encoder.embedding.kernel"),
    (r"weight$", "kernel"),
)


@pytest.fixture(scope="module")
def fixture(golden):
    folder = golden("audio_vqgan")
    port = json.loads((folder / "config.json").read_text())["config"]
    mels, frames = port["default_input_size"]
    config = ViTVQGANConfig(
        width=port["encoder_hidden_size"],
        num_heads=port["encoder_num_heads"],
        head_dim=port["encoder_head_dim"],
        num_layers=port["encoder_num_layers"],
        mlp_dim=port["encoder_mlp_dim"],
        patch=port["patch_size"][0],
        codebook_size=port["vocab_size"],
        code_dim=port["proj_dim"],
        frames=frames,
        mels=mels,
    )
    params = {}
    for name, value in load_file(folder / "weights.safetensors").items():
        for pattern, new in RENAMES:
            name = re.sub(pattern, new, name)
        if value.ndim == 4:
            value = value[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)
        elif name.endswith("kernel"):
            value = value.T
        params[tuple(name.split("."))] = jnp.asarray(value)
    params = {"params": traverse_util.unflatten_dict(params)}
    return ViTVQGAN(config), params, np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")


def ours(array):
    """The port's mel-major tokens [B, L, ...] of this fixture's 4 x 12 grid, time-major."""
    return array.reshape(-1, 4, 12, *array.shape[2:]).swapaxes(1, 2).reshape(array.shape)


def test_position_table(fixture):
    np.testing.assert_allclose(sincos_table(4, 12, 32), fixture[3]["position_embedding"], atol=2e-6)


def test_encode(fixture):
    model, params, inputs, outputs = fixture
    spectrograms = inputs["spectrogram"].swapaxes(1, 2)
    codes, captured = model.apply(params, spectrograms, method=model.encode, capture_intermediates=True)
    np.testing.assert_array_equal(codes, ours(outputs["indices"]))
    seen = captured["intermediates"]["encoder"]
    for path, theirs in {
        "Transformer_0/encoderblock_0": "block0_out",
        "Transformer_0": "transformer_out",
        "encoder_proj": "proj_out",
        "encoder_norm": "encoder_out",
    }.items():
        value = traverse_util.flatten_dict(seen)[*path.split("/"), "__call__"][0]
        np.testing.assert_allclose(value, outputs[theirs], atol=3e-5, err_msg=path)
    z = seen["encoder_norm"]["__call__"][0].reshape(-1, model.config.code_dim)
    distances = squared_distances(unit(z), unit(params["params"]["quantize"]["embedding"]))
    np.testing.assert_allclose(distances, outputs["distances"], atol=2e-5)


def test_decode(fixture):
    model, params, inputs, outputs = fixture
    spectrograms = model.apply(params, ours(inputs["codes"]), method=model.decode)
    np.testing.assert_allclose(
        spectrograms[..., 0], outputs["decode/spectrogram"][:, 0].swapaxes(1, 2), atol=3e-5
    )


def test_reconstruction(fixture):
    model, params, inputs, outputs = fixture
    out = model.apply(params, inputs["spectrogram"].swapaxes(1, 2))
    np.testing.assert_array_equal(out.codes, ours(outputs["indices"]))
    np.testing.assert_allclose(out.media[..., 0], outputs["roundtrip"][:, 0].swapaxes(1, 2), atol=3e-5)
