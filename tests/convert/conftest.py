"""A tiny model in the port's shape, and its folder with random weights."""

import json
from pathlib import Path

import pytest

from unified_io.api import loading
from unified_io.convert import folders
from unified_io.convert.port import config as port_config

RESAMPLER = {
    "emb_dim": 16,
    "num_heads": 2,
    "head_dim": 8,
    "num_layers": 1,
    "mlp_dim": 16,
    "latents_size": 3,
    "xattention_index": [0],
    "xattn_qk_norm": True,
    "xattn_scaled_cosine": False,
}
VIT = {"emb_dim": 16, "num_heads": 2, "num_layers": 2, "mlp_dim": 16, "patch_size": 4}
TRUNK = {"hidden_size": 16, "num_layers": 1, "mlp_dim": 16, "num_heads": 2, "head_dim": 8}
PORT = {
    "t5_config": {
        "vocab_size": 64,
        "image_vocab_size": 40,
        "audio_vocab_size": 40,
        "emb_dim": 16,
        "num_heads": 2,
        "head_dim": 8,
        "mlp_dim": 24,
        "num_encoder_layers": 2,
        "num_decoder_layers": 3,
        "dropout_rate": 0.0,
        "qk_norm": True,
        "encoder_max_text_length": 16,
        "decoder_max_text_length": 12,
        "encoder_max_image_length": 16,
        "decoder_max_image_length": 16,
        "default_image_vit_size": [16, 16],
        "default_image_history_vit_size": [8, 8],
        "default_audio_vit_size": [16, 8],
        "default_audio_history_vit_size": [16, 8],
        "image_vit_patch_size": 4,
        "audio_vit_patch_size": 4,
    },
    "image_history_cfg": RESAMPLER,
    "audio_history_cfg": RESAMPLER,
    "image_vit_cfg": {**VIT, "num_pos": 5},
    "audio_vit_cfg": {**VIT, "default_input_size": [16, 8]},
    "image_vqgan": {
        "ch": 32,
        "ch_mult": [1, 1],
        "num_res_blocks": 1,
        "attn_resolutions": [4],
        "resolution": 8,
        "z_channels": 4,
        "embed_dim": 4,
        "n_embed": 32,
    },
    "audio_vqgan": {
        **{f"{half}_{name}": value for half in ("encoder", "decoder") for name, value in TRUNK.items()},
        "vocab_size": 32,
        "proj_dim": 4,
        "default_input_size": [8, 16],
        "patch_size": [4, 4],
    },
    "input_modalities": ["text", "image", "image_history", "audio", "audio_history"],
    "target_modalities": ["text", "image", "audio"],
    "sequence_length": {"num_frames": 2},
}


@pytest.fixture(scope="session")
def port_model():
    """A tiny model with random parameters."""
    return loading.from_config(port_config.from_port(PORT), allow_random=True)


@pytest.fixture(scope="session")
def saved(port_model, tmp_path_factory) -> dict[str, Path]:
    """The tiny model in every family's folder. Copy before changing one."""
    root = tmp_path_factory.mktemp("saved")
    for family in ("unified-io", "port", "t5x"):
        folders.save(root / family, port_model.config, port_model.params, family)
    return {path.name: path for path in root.iterdir()}


@pytest.fixture
def port_json() -> dict:
    """The port's config of the tiny model, to change."""
    return json.loads(json.dumps(PORT))
