"""The audio spectrogram transformer against the released model's."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.ast import AstConfig, AudioSpectrogramTransformer, table_rows

RENAMES = {
    r"transformer\.resblocks\.(\d+)": r"Transformer_0.ResidualAttentionBlock_\1",
    r"attn\.(query|key|value)_in_proj_": r"MultiHeadDotProductAttention_0.\1.",
    r"attn\.out_proj": "MultiHeadDotProductAttention_0.out",
    r"mlp\.": "MLP_0.",
    r"ln_(\d)": r"norm\1",
    r"positional_embedding": "pos_embed",
}


@pytest.fixture(scope="module")
def fixture(golden, from_port):
    folder = golden("audio_encoder")
    ast = json.loads((folder / "config.json").read_text())["config"]["audio_vit_cfg"]
    time, mel = (side // ast["patch_size"] for side in ast["default_input_size"])
    params = from_port(folder, "vision_transformer", RENAMES)
    config = AstConfig(
        width=ast["emb_dim"],
        num_heads=ast["num_heads"],
        num_layers=ast["num_layers"],
        mlp_dim=ast["mlp_dim"],
        grid=(time, mel),
        num_positions=len(params["pos_embed"]) - 2,
    )
    arrays = dict(np.load(folder / "inputs.npz")) | dict(np.load(folder / "outputs.npz"))
    return config, arrays, params


def untransposed(positions, grid):
    """The positions that `table_rows` turns into the given rows: the port without its transposition."""
    return positions % grid[0] * grid[1] + positions // grid[0]


@pytest.mark.parametrize("case", ["full", "sub", "no_transpose"])
def test_features(fixture, case):
    config, arrays, params = fixture
    positions, mask = arrays[f"{case}/pos_ids"], arrays[f"{case}/mask"] > 0
    if case == "no_transpose":
        positions = untransposed(positions, config.grid)
    else:
        rows = table_rows(jnp.asarray(positions), config.grid, config.grid)
        np.testing.assert_array_equal(rows, arrays[f"{case}/pos_ids_transposed"])
    model = AudioSpectrogramTransformer(config)
    run = jax.jit(lambda params, *inputs: model.apply({"params": params}, *inputs, config.grid))
    last, second = run(params, arrays[f"{case}/input"], mask, positions)
    np.testing.assert_allclose(last[mask], arrays[f"{case}/x"][mask], atol=3e-5)
    np.testing.assert_allclose(second[mask], arrays[f"{case}/x1"][mask], atol=3e-5)
