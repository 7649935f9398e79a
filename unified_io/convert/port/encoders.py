"""The image and audio encoders as the port's config has them, and back."""

import math
from collections.abc import Mapping
from typing import Any

from unified_io.convert.port import fixed
from unified_io.encoders.ast import AstConfig
from unified_io.encoders.vit import VitConfig
from unified_io.errors import ConfigError

_FIXED = {"mlp_activations": ["gelu"], "float32_attention_logits": True, "dropout_broadcast_dims": []}


def vit(config: Mapping[str, Any]) -> VitConfig:
    """Returns the image encoder of a port's `image_vit_cfg`."""
    fixed.check("image_vit_cfg", config, _FIXED)
    side = math.isqrt(config["num_pos"] - 1)
    if side * side != config["num_pos"] - 1:
        raise ConfigError(f"num_pos {config['num_pos']} is not a square of patches and one class token")
    return VitConfig(**_encoder_sizes(config), grid=(side, side))


def ast(config: Mapping[str, Any]) -> AstConfig:
    """Returns the audio encoder of a port's `audio_vit_cfg`."""
    fixed.check("audio_vit_cfg", config, {**_FIXED, "vit_embed": True})
    time, mel = config["default_input_size"]
    return AstConfig(
        **_encoder_sizes(config), grid=(time // config["patch_size"], mel // config["patch_size"])
    )


def _encoder_sizes(config: Mapping[str, Any]) -> dict[str, int]:
    return {
        "width": config["emb_dim"],
        "num_heads": config["num_heads"],
        "num_layers": config["num_layers"],
        "mlp_dim": config["mlp_dim"],
    }


def to_port(encoder: VitConfig, patch: int) -> dict[str, Any]:
    """Returns what `image_vit_cfg` and `audio_vit_cfg` have in common; the inverse of `vit` and `ast`."""
    return {
        **_FIXED,
        "patch_size": patch,
        "pos_patch_size": patch,
        "emb_dim": encoder.width,
        "num_heads": encoder.num_heads,
        "num_layers": encoder.num_layers,
        "head_dim": encoder.width // encoder.num_heads,
        "mlp_dim": encoder.mlp_dim,
        "dropout_rate": 0.0,
    }
