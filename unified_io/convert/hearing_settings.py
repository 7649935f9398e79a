"""Settings of encoders of sound as our configs. Reads no file."""

from collections.abc import Iterable, Mapping
from typing import Any

from unified_io.encoders.beats import BeatsConfig
from unified_io.encoders.clap import ClapConfig
from unified_io.encoders.whisper import WhisperConfig
from unified_io.errors import ConfigError

_CLAP_DEFAULTS = {
    "spec_size": 256,
    "num_mel_bins": 64,
    "patch_size": 4,
    "patch_embeds_hidden_size": 96,
    "depths": (2, 2, 6, 2),
    "num_attention_heads": (4, 8, 16, 32),
    "window_size": 8,
    "mlp_ratio": 4.0,
    "projection_dim": 512,
    "layer_norm_eps": 1e-5,
}

_WHISPER_NAMES = {
    "num_mel_bins": "mels",
    "d_model": "width",
    "encoder_attention_heads": "num_heads",
    "encoder_layers": "num_layers",
    "encoder_ffn_dim": "mlp_dim",
    "max_source_positions": "num_positions",
}

_BEATS_NAMES = {
    "input_patch_size": "patch",
    "embed_dim": "patch_width",
    "encoder_embed_dim": "width",
    "encoder_attention_heads": "num_heads",
    "encoder_layers": "num_layers",
    "encoder_ffn_embed_dim": "mlp_dim",
    "conv_pos": "position_window",
    "conv_pos_groups": "position_groups",
    "num_buckets": "num_buckets",
    "max_distance": "max_distance",
    "gru_rel_pos": "gated",
    "deep_norm": "deep_norm",
}


def clap(settings: Mapping[str, Any]) -> ClapConfig:
    """Returns the encoder that a `config.json` of ClapModel, or of one of its audio models, describes.

    Raises:
      ConfigError: It has what is not built here, such as feature fusion; names the setting.
    """
    audio = _CLAP_DEFAULTS | dict(settings.get("audio_config", settings))
    _require(
        audio,
        {
            "enable_fusion": False,
            "hidden_act": "gelu",
            "projection_hidden_act": "relu",
            "qkv_bias": True,
            "enable_patch_layer_norm": True,
            "flatten_patch_embeds": True,
            "patch_embed_input_channels": 1,
        },
        "CLAP",
    )
    patch = _one(audio, "patch_size", "CLAP")
    if _one({"patch_stride": patch} | audio, "patch_stride", "CLAP") != patch:
        raise ConfigError(f"CLAP with patch_stride {audio['patch_stride']!r} is not built here, only {patch}")
    if (ratio := audio["mlp_ratio"]) != int(ratio):
        raise ConfigError(f"CLAP with mlp_ratio {ratio} is not built here, only with whole numbers")
    projected = settings.get("architectures") != ["ClapAudioModel"]
    return ClapConfig(
        side=audio["spec_size"],
        mels=audio["num_mel_bins"],
        patch=patch,
        width=audio["patch_embeds_hidden_size"],
        depths=tuple(audio["depths"]),
        num_heads=tuple(audio["num_attention_heads"]),
        window=audio["window_size"],
        mlp_ratio=int(ratio),
        projection_dim=audio["projection_dim"] if projected else None,
        block_epsilon=audio["layer_norm_eps"],
    )


def whisper(settings: Mapping[str, Any]) -> WhisperConfig:
    """Returns the encoder that a `config.json` of a Whisper describes.

    Raises:
      ConfigError: It has what is not built here, or lacks what it should say; names the setting.
    """
    _require(settings, {"model_type": "whisper", "activation_function": "gelu"}, "Whisper")
    return WhisperConfig(**_renamed(settings, _WHISPER_NAMES, "Whisper"))


def beats(settings: Mapping[str, Any]) -> BeatsConfig:
    """Returns the encoder that the `cfg` of a BEATs checkpoint describes.

    Raises:
      ConfigError: It has what is not built here, or lacks what it should say; names the setting.
    """
    # What a checkpoint does not say of the bias for distances is off.
    known = {"relative_position_embedding": False} | dict(settings)
    wanted = {"conv_bias": False, "layer_norm_first": False, "activation_fn": "gelu"}
    _require(known, wanted | {"relative_position_embedding": True}, "BEATs")
    config = BeatsConfig(**_renamed(settings, _BEATS_NAMES, "BEATs"))
    if config.patch_width == config.width:
        raise ConfigError(
            f"BEATs with embed_dim {config.patch_width} as wide as encoder_embed_dim is not built here: it has no "
            "projection"
        )
    return config


def _require(settings: Mapping[str, Any], wanted: Mapping[str, Any], family: str) -> None:
    for name, value in wanted.items():
        if settings.get(name, value) != value:
            raise ConfigError(
                f"{family} with {name} {settings[name]!r} is not built here, only with {value!r}; choose another "
                "checkpoint"
            )


def _renamed(settings: Mapping[str, Any], names: Mapping[str, str], family: str) -> dict[str, Any]:
    if missing := [name for name in names if name not in settings]:
        raise ConfigError(
            f"the settings of a {family} lack {', '.join(missing)}; give those that its checkpoint came with"
        )
    return {ours: settings[theirs] for theirs, ours in names.items()}


def _one(settings: Mapping[str, Any], name: str, family: str) -> int:
    """A size that may be written once or for both axes."""
    value = settings[name]
    sides: Iterable[int] = (value,) if isinstance(value, int) else value
    if len(found := set(sides)) != 1:
        raise ConfigError(f"{family} with {name} {value!r} is not built here, only with squares")
    return found.pop()
