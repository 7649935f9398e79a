"""The image tokenizer against the official PyTorch port."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from safetensors.numpy import load_file

from unified_io.tokenizers.quantizer import squared_distances
from unified_io.tokenizers.vqgan import VQGAN, VQGANConfig


@pytest.fixture(scope="module")
def fixture(golden):
    folder = golden("image_vqgan")
    port = json.loads((folder / "config.json").read_text())["config"]
    config = VQGANConfig(
        channels=port["ch"],
        channel_multipliers=tuple(port["ch_mult"]),
        res_blocks=port["num_res_blocks"],
        attention_resolutions=tuple(port["attn_resolutions"]),
        resolution=port["resolution"],
        z_channels=port["z_channels"],
        code_dim=port["embed_dim"],
        codebook_size=port["n_embed"],
    )
    params = {}
    for name, value in load_file(folder / "weights.safetensors").items():
        *parents, leaf = name.split(".")
        if name == "quantize.embedding.weight":
            parents, leaf = ["quantize"], "embedding"
        elif leaf == "weight" and value.ndim == 4:
            leaf, value = "kernel", value.transpose(2, 3, 1, 0)
        elif leaf == "weight":
            leaf = "scale"
        params[*parents, leaf] = jnp.asarray(value)
    params = {"params": traverse_util.unflatten_dict(params)}
    return VQGAN(config), params, np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")


def test_encode(fixture):
    model, params, inputs, outputs = fixture
    codes, captured = model.apply(params, inputs["image"], method=model.encode, capture_intermediates=True)
    np.testing.assert_array_equal(codes, outputs["indices"])
    seen = {
        "/".join(path[:-1]): value[0]
        for path, value in traverse_util.flatten_dict(captured["intermediates"]).items()
        if path[-1] == "__call__"
    }
    for ours, theirs in {
        "encoder/conv_in": "conv_in_out",
        "encoder/down_0_block_0": "down_0_block_0_out",
        "encoder/down_0_downsample": "down_0_downsample_out",
        "encoder/mid_attn_1": "mid_attn_1_out",
        "encoder": "encoder_out",
        "quant_conv": "quant_conv_out",
    }.items():
        np.testing.assert_allclose(seen[ours], outputs[theirs].transpose(0, 2, 3, 1), atol=1e-4, err_msg=ours)
    z = seen["quant_conv"].reshape(-1, model.config.code_dim)
    distances = squared_distances(z, params["params"]["quantize"]["embedding"])
    np.testing.assert_allclose(distances, outputs["distances"], atol=5e-4)


def test_decode(fixture):
    model, params, inputs, outputs = fixture
    images = model.apply(params, inputs["codes"], method=model.decode)
    np.testing.assert_allclose(images, outputs["decode/image"], atol=1e-4)


def test_reconstruction(fixture):
    model, params, inputs, outputs = fixture
    out = model.apply(params, inputs["image"])
    np.testing.assert_array_equal(out.codes, outputs["indices"])
    np.testing.assert_allclose(out.media, outputs["roundtrip_image"], atol=1e-4)
    entries = params["params"]["quantize"]["embedding"][out.codes]
    np.testing.assert_allclose(entries, outputs["quantized"].reshape(3, 6, 64).transpose(0, 2, 1), atol=1e-6)
