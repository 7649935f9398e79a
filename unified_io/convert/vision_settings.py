"""Settings of vision and video encoders of Hugging Face as our configs. Reads no file."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from unified_io.encoders.clip import EVA_G, ClipConfig
from unified_io.encoders.dinov2 import Dinov2Config, gated_dim
from unified_io.encoders.video_transformer import VideoTransformerConfig
from unified_io.errors import ConfigError, unknown

Config = ClipConfig | Dinov2Config | VideoTransformerConfig

_ACTIVATIONS = {
    **{"quick_gelu": "quick_gelu", "gelu": "gelu", "relu": "relu", "silu": "silu", "swish": "silu"},
    **{"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"},
}
# Of what a model inside another calls its own kind.
_INNER = {"clip": "clip_vision_model", "llava": "clip_vision_model"}
_INNER |= {"instructblip": "instructblip_vision_model", "blip-2": "blip_2_vision_model"}


def config(settings: Mapping[str, Any], **features: Any) -> Config:
    """Reads the settings of a model of Hugging Face, or of the vision model inside one.

    Args:
      settings: Of `config.json`. Those of LLaVA say which layer is read, and whether with the class token.
      features: Fields of our config to set, such as `layer`, `keep_class`, `final_norm`, `pooled`, `dtype`.

    Raises:
      ConfigError: A model or a setting that we can not honour; names it.
    """
    name, inner = _inner(settings)
    ours = _READERS[name](inner)
    if settings.get("model_type") == "llava":
        ours = dataclasses.replace(ours, **_llava(settings))
    return dataclasses.replace(ours, **features)


def kind(settings: Mapping[str, Any]) -> str:
    """Returns the `model_type` of the encoder, be it alone or inside a larger model.

    Raises:
      ConfigError: It is none of ours.
    """
    return _inner(settings)[0]


def _inner(settings: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The kind and the settings of the encoder itself."""
    name = settings.get("model_type", "")
    inner = settings
    if name in _INNER:
        inner = settings.get("vision_config") or {}
        name = inner.get("model_type", _INNER[name])
    if name not in _READERS:
        raise unknown("vision model_type", name, [*_READERS, *_INNER])
    return name, inner


def _llava(settings: Mapping[str, Any]) -> dict[str, Any]:
    layer = settings.get("vision_feature_layer", -2)
    if not isinstance(layer, int):
        raise ConfigError(f"vision_feature_layer is {layer}; one layer can be read, set it to an integer")
    kept = {"default": False, "full": True}
    strategy = settings.get("vision_feature_select_strategy", "default")
    if strategy not in kept:
        raise unknown("vision_feature_select_strategy", strategy, kept)
    return {"layer": layer, "keep_class": kept[strategy]}


def _clip(settings: Mapping[str, Any]) -> ClipConfig:
    patch = settings.get("patch_size", 32)
    return ClipConfig(
        width=settings.get("hidden_size", 768),
        num_heads=settings.get("num_attention_heads", 12),
        num_layers=settings.get("num_hidden_layers", 12),
        mlp_dim=settings.get("intermediate_size", 3072),
        activation=_activation(settings, "quick_gelu"),
        epsilon=settings.get("layer_norm_eps", 1e-5),
        patch=patch,
        grid=_grid(settings, patch),
    )


def _blip(settings: Mapping[str, Any]) -> ClipConfig:
    patch = settings.get("patch_size", 14)
    return dataclasses.replace(
        EVA_G,
        width=settings.get("hidden_size", 1408),
        num_heads=settings.get("num_attention_heads", 16),
        num_layers=settings.get("num_hidden_layers", 39),
        mlp_dim=settings.get("intermediate_size", 6144),
        activation=_activation(settings, "gelu"),
        epsilon=settings.get("layer_norm_eps", 1e-6),
        qkv_bias="no_key" if settings.get("qkv_bias", True) else "none",
        patch=patch,
        grid=_grid(settings, patch),
    )


def _dinov2(settings: Mapping[str, Any]) -> Dinov2Config:
    patch, width = settings.get("patch_size", 14), settings.get("hidden_size", 768)
    plain = int(width * settings.get("mlp_ratio", 4))
    gated = settings.get("use_swiglu_ffn", False)
    return Dinov2Config(
        width=width,
        num_heads=settings.get("num_attention_heads", 12),
        num_layers=settings.get("num_hidden_layers", 12),
        mlp_dim=gated_dim(plain) if gated else plain,
        activation="swiglu" if gated else _activation(settings, "gelu"),
        epsilon=settings.get("layer_norm_eps", 1e-6),
        qkv_bias="all" if settings.get("qkv_bias", True) else "none",
        patch=patch,
        grid=_grid(settings, patch),
    )


def _videomae(settings: Mapping[str, Any]) -> VideoTransformerConfig:
    patch = settings.get("patch_size", 16)
    _grid(settings, patch)
    return VideoTransformerConfig(
        width=settings.get("hidden_size", 768),
        num_heads=settings.get("num_attention_heads", 12),
        num_layers=settings.get("num_hidden_layers", 12),
        mlp_dim=settings.get("intermediate_size", 3072),
        activation=_activation(settings, "gelu"),
        epsilon=settings.get("layer_norm_eps", 1e-12),
        # "qkv_bias" before transformers 5
        qkv_bias="no_key" if settings.get("qv_bias", settings.get("qkv_bias", True)) else "none",
        tubelet=(settings.get("tubelet_size", 2), patch, patch),
        num_frames=settings.get("num_frames", 16),
        image_size=settings.get("image_size", 224),
        final_norm=not settings.get("use_mean_pooling", True),
    )


def _activation(settings: Mapping[str, Any], default: str) -> str:
    name = settings.get("hidden_act", default)
    if name not in _ACTIVATIONS:
        raise unknown("hidden_act", name, _ACTIVATIONS)
    return _ACTIVATIONS[name]


def _grid(settings: Mapping[str, Any], patch: Any) -> int:
    """Patches a side; refuses pictures that are not square, and not of three channels."""
    size, channels = settings.get("image_size", 224), settings.get("num_channels", 3)
    if not (isinstance(size, int) and isinstance(patch, int)) or size < patch:
        raise ConfigError(
            f"image_size is {size} and patch_size {patch}; two numbers, of squares, can be read"
        )
    if channels != 3:
        raise ConfigError(f"num_channels is {channels}; 3 can be read")
    return size // patch


_READERS = {
    "clip_vision_model": _clip,
    "instructblip_vision_model": _blip,
    "blip_2_vision_model": _blip,
    "dinov2": _dinov2,
    "videomae": _videomae,
}
