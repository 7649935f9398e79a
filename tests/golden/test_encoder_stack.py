"""Encoder and decoder layers against the released model's, both scanned and unrolled."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.backbones.encoder_decoder import BackboneConfig, Decoder, Encoder
from unified_io.nn import masks, rope
from unified_io.nn.transformer import stack_layers

RENAMES = {r"(pre_\w+)_norm": r"\1_layer_norm"}


def load(folder, scan):
    t5 = json.loads((folder / "config.json").read_text())["config"]["t5_config"]
    names = (
        "emb_dim",
        "num_heads",
        "head_dim",
        "num_encoder_layers",
        "num_decoder_layers",
        "mlp_dim",
        "qk_norm",
    )
    config = BackboneConfig(**{name: t5[name] for name in names}, scan_layers=scan)
    return config, dict(np.load(folder / "inputs.npz")) | dict(np.load(folder / "outputs.npz"))


def angles(table):
    """Angles of a table of cosines and sines side by side."""
    return np.arctan2(table[..., 1::2], table[..., ::2])


def input_angles(arrays, head_dim):
    """Angles of the five inputs of the full forward, in their order in the row."""
    finer = 4 / 3

    def media(name, cols):
        index = jnp.asarray(arrays[f"inputs/{name}/pos_ids"])
        return rope.angles_2d(index // cols * finer, index % cols * finer, head_dim)

    def history(name, latents):
        rows, frames = arrays[f"inputs/{name}/mask"].shape[:2]
        index = jnp.broadcast_to(jnp.arange(frames * latents), (rows, frames * latents))
        return rope.angles_2d(index // latents, index % latents, head_dim)

    text = rope.angles_1d(jnp.asarray(arrays["inputs/text/pos_ids"]), head_dim)
    image, audio = media("image", 6), media("audio", 4)
    parts = [text, image, history("image_history", 4), audio, history("audio_history", 3)]
    return jnp.concatenate(parts, axis=1)


@pytest.mark.parametrize("scan", [False, True])
@pytest.mark.parametrize("case", ["all", "text_image"])
def test_encoder(golden, from_port, case, scan):
    folder = golden("encoder")
    config, arrays = load(folder, scan)
    params = from_port(folder, "encoder", RENAMES)
    params = stack_layers(params) if scan else params
    real = jnp.asarray(arrays[f"{case}/seq/mask"] > 0)
    out = jax.jit(Encoder(config).apply)(
        {"params": params},
        arrays[f"{case}/seq/embed"],
        mask=masks.padding(real, real),
        angles=angles(arrays[f"{case}/seq/position_embed"]),
    )
    np.testing.assert_allclose(out[real], arrays[f"{case}/encoder/out"][real], atol=4e-5)


@pytest.mark.parametrize("scan", [False, True])
def test_decoder(golden, from_port, scan):
    """Three targets in one decoder row."""
    folder = golden("full_forward")
    config, arrays = load(folder, scan)
    params = from_port(folder, "decoder", RENAMES)
    params = stack_layers(params) if scan else params
    real = arrays["all/target_seq/mask"] > 0
    out = jax.jit(Decoder(config).apply)(
        {"params": params},
        arrays["all/target_seq/input_embedding"],
        arrays["all/encoder/out"],
        self_mask=arrays["all/decoder_attn_mask"] > 0,
        cross_mask=arrays["all/encoder_decoder_mask"] > 0,
        angles=angles(arrays["all/target_seq/position_embed"]),
        encoded_angles=input_angles(arrays, config.head_dim),
    )
    np.testing.assert_allclose(out[real], arrays["all/decoder/out"][real], atol=4e-5)
