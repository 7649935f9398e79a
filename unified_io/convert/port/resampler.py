"""The resampler of a history as the port's config has it, and back."""

from collections.abc import Mapping
from typing import Any

from unified_io.connectors.resampler import ResamplerConfig
from unified_io.convert.port import fixed
from unified_io.errors import ConfigError

_FIXED = {
    "resampler_type": "perceiver",
    "mlp_activations": ["gelu"],
    "dropout_broadcast_dims": [-2],
    "droppath_rate": 0.0,
    "layer_drop": 0.0,
    "float32_attention_logits": True,
    "clip_attn_logit": None,
}


def from_port(config: Mapping[str, Any], activation: str = "gelu_tanh") -> ResamplerConfig:
    """Returns the resampler of a port's `image_history_cfg` or `audio_history_cfg`."""
    fixed.check("the resampler", config, _FIXED)
    crossing = tuple(config["xattention_index"])
    if len(crossing) < config["num_layers"]:  # one setting serves both kinds of layers
        for switch in ("qk_norm", "scaled_cosine"):
            if config[f"attn_{switch}"] != config[f"xattn_{switch}"]:
                raise ConfigError(
                    f"the resampler's attn_{switch} differs from its xattn_{switch}; only equal ones are built"
                )
    return ResamplerConfig(
        width=config["emb_dim"],
        num_heads=config["num_heads"],
        head_dim=config["head_dim"],
        num_layers=config["num_layers"],
        mlp_dim=config["mlp_dim"],
        num_latents=config["latents_size"],
        qk_norm=config["xattn_qk_norm"],
        scaled_cosine=config["xattn_scaled_cosine"],
        cross_attention_layers=None if crossing == tuple(range(config["num_layers"])) else crossing,
        activation=activation,
    )


def to_port(config: ResamplerConfig) -> dict[str, Any]:
    """Returns the port's form of a resampler; the inverse of `from_port`."""
    return {
        **_FIXED,
        "max_frames": 8,  # rows of the position table; we compute positions
        "latents_size": config.num_latents,
        "emb_dim": config.width,
        "num_heads": config.num_heads,
        "num_layers": config.num_layers,
        "xattention_index": list(
            range(config.num_layers)
            if config.cross_attention_layers is None
            else config.cross_attention_layers
        ),
        "head_dim": config.head_dim,
        "mlp_dim": config.mlp_dim,
        "dropout_rate": 0.0,
        "xattn_qk_norm": config.qk_norm,
        "xattn_scaled_cosine": config.scaled_cosine,
        "attn_qk_norm": config.qk_norm,
        "attn_scaled_cosine": config.scaled_cosine,
    }
