"""The image and audio tokenizers as the port's config has them, and back."""

from collections.abc import Mapping
from typing import Any

from unified_io.convert.port import fixed
from unified_io.errors import ConfigError
from unified_io.tokenizers.vit_vqgan import TrunkConfig, ViTVQGANConfig
from unified_io.tokenizers.vqgan import VQGANConfig

_FIXED_IMAGE = {"double_z": False, "in_channels": 3, "out_ch": 3}
_FIXED_SOUND = {"use_bias": False, "act_fn": "relu", "output_channel": 1, "use_decoder": True}
# A half of the audio tokenizer: our names -> theirs.
_TRUNK = {
    "width": "hidden_size",
    "num_heads": "num_heads",
    "head_dim": "head_dim",
    "num_layers": "num_layers",
    "mlp_dim": "mlp_dim",
}


def vqgan(config: Mapping[str, Any]) -> VQGANConfig:
    """Returns the image tokenizer of a port's `image_vqgan`."""
    fixed.check("image_vqgan", config, _FIXED_IMAGE)
    return VQGANConfig(
        channels=config["ch"],
        channel_multipliers=tuple(config["ch_mult"]),
        res_blocks=config["num_res_blocks"],
        attention_resolutions=tuple(config["attn_resolutions"]),
        resolution=config["resolution"],
        z_channels=config["z_channels"],
        code_dim=config["embed_dim"],
        codebook_size=config["n_embed"],
    )


def to_vqgan(config: VQGANConfig) -> dict[str, Any]:
    """Returns the `image_vqgan` of a tokenizer; the inverse of `vqgan`.

    Raises:
      ConfigError: It has norms that the port can not have.
    """
    if config.groups != 32:
        raise ConfigError(f"the image tokenizer has {config.groups} groups a norm; the port has 32, always")
    return {
        **_FIXED_IMAGE,
        "embed_dim": config.code_dim,
        "n_embed": config.codebook_size,
        "z_channels": config.z_channels,
        "resolution": config.resolution,
        "ch": config.channels,
        "ch_mult": list(config.channel_multipliers),
        "num_res_blocks": config.res_blocks,
        "attn_resolutions": list(config.attention_resolutions),
        "dropout": 0,
        "default_input_size": [config.resolution] * 2,
        "patch_size": [config.stride] * 2,
        "checkpoint_path": "",
    }


def vit_vqgan(config: Mapping[str, Any]) -> ViTVQGANConfig:
    """Returns the audio tokenizer of a port's `audio_vqgan`."""
    fixed.check("audio_vqgan", config, _FIXED_SOUND)
    patch, other = config["patch_size"]
    if patch != other:
        raise ConfigError(f"audio_vqgan has patches of {patch}x{other}; only square ones are built")
    mels, frames = config["default_input_size"]
    encoder, decoder = (
        {ours: config[f"{half}_{theirs}"] for ours, theirs in _TRUNK.items()}
        for half in ("encoder", "decoder")
    )
    return ViTVQGANConfig(
        **encoder,
        patch=patch,
        codebook_size=config["vocab_size"],
        code_dim=config["proj_dim"],
        frames=frames,
        mels=mels,
        decoder=None if decoder == encoder else TrunkConfig(**decoder),
    )


def to_vit_vqgan(config: ViTVQGANConfig) -> dict[str, Any]:
    """Returns the `audio_vqgan` of a tokenizer; the inverse of `vit_vqgan`."""
    halves = {"encoder": config, "decoder": config.decoder or config}
    return {
        **_FIXED_SOUND,
        "vocab_size": config.codebook_size,
        "proj_dim": config.code_dim,
        **{
            f"{half}_{theirs}": getattr(trunk, ours)
            for half, trunk in halves.items()
            for ours, theirs in _TRUNK.items()
        },
        "dropout_rate": 0.0,
        "droppath_rate": 0.0,
        "attention_dropout_rate": 0.0,
        "default_input_size": [config.mels, config.frames],
        "patch_size": [config.patch] * 2,
        "checkpoint_path": "",
    }
