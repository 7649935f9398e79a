"""The image ViT against the released model's."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.vit import Vit, VitConfig, resize_positions

RENAMES = {
    r"transformer\.resblocks\.(\d+)": r"Transformer_0.ResidualAttentionBlock_\1",
    r"attn\.(query|key|value)_in_proj_": r"MultiHeadDotProductAttention_0.\1.",
    r"attn\.out_proj": "MultiHeadDotProductAttention_0.out",
    r"mlp\.fc1": "MLP_0.c_fc",
    r"mlp\.fc2": "MLP_0.c_proj",
}


@pytest.fixture(scope="module")
def fixture(golden, from_port):
    folder = golden("image_encoder")
    settings = json.loads((folder / "config.json").read_text())
    vit = settings["config"]["image_vit_cfg"]
    side = vit["default_input_size"][0] // vit["pos_patch_size"]
    config = VitConfig(
        width=vit["emb_dim"],
        num_heads=vit["num_heads"],
        num_layers=vit["num_layers"],
        mlp_dim=vit["mlp_dim"],
        grid=(side, side),
    )
    arrays = dict(np.load(folder / "inputs.npz")) | dict(np.load(folder / "outputs.npz"))
    return config, settings["cases"], arrays, from_port(folder, "vision_transformer", RENAMES)


@pytest.mark.parametrize("case", ["native", "up_sub", "down_rect"])
def test_features(fixture, case):
    config, cases, arrays, params = fixture
    grid = tuple(cases[case]["patch_num"])
    table = resize_positions(jnp.asarray(params["positional_embedding"][1:]), config.grid, grid)
    np.testing.assert_allclose(table, arrays[f"{case}/pos_grid"], atol=3e-5)
    mask = arrays[f"{case}/mask"] > 0
    run = jax.jit(lambda params, *inputs: Vit(config).apply({"params": params}, *inputs, grid))
    last, second = run(params, arrays[f"{case}/input"], mask, arrays[f"{case}/pos_ids"])
    np.testing.assert_allclose(last[mask], arrays[f"{case}/x"][mask], atol=4e-5)
    np.testing.assert_allclose(second[mask], arrays[f"{case}/x1"][mask], atol=4e-5)
