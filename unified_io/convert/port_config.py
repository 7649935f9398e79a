"""The `config.json` of the PyTorch port as a config of ours, and back.

What the port can switch and no released model switches is refused by name.
"""

import math
from collections.abc import Mapping
from typing import Any

from unified_io.backbones.encoder_decoder import BackboneConfig
from unified_io.connectors.resampler import ResamplerConfig
from unified_io.encoders.ast import AstConfig
from unified_io.encoders.vit import VitConfig
from unified_io.errors import ConfigError
from unified_io.mel import MelConfig
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.history import History
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import UnifiedIOConfig
from unified_io.tokenizers.vit_vqgan import TrunkConfig, ViTVQGANConfig
from unified_io.tokenizers.vqgan import VQGANConfig
from unified_io.vocab import LLAMA_PIECES, IdsOnly, Vocabulary

INPUTS = ("text", "image", "image_history", "audio", "audio_history")
TARGETS = ("text", "image", "audio")

# What every released model has, and what we can not build otherwise.
_FIXED = {
    "mlp_activations": ["silu", "linear"],
    "logits_via_embedding": True,
    "float32_attention_logits": True,
    "decoder_xattention_internval": 1,  # the port's spelling
    "dropout_broadcast_dims": [-2],
    "image_tokenizer_type": "vqgan",
    **{f"{name}_pos_emb": "llama_rope" for name in INPUTS},
}
_FIXED_VIT = {"mlp_activations": ["gelu"], "float32_attention_logits": True, "dropout_broadcast_dims": []}
_FIXED_RESAMPLER = {
    "resampler_type": "perceiver",
    "mlp_activations": ["gelu"],
    "dropout_broadcast_dims": [-2],
    "droppath_rate": 0.0,
    "layer_drop": 0.0,
    "float32_attention_logits": True,
    "clip_attn_logit": None,
}
_FIXED_VQGAN = {"double_z": False, "in_channels": 3, "out_ch": 3}
# A half of the audio tokenizer: our names -> theirs.
_TRUNK = {
    "width": "hidden_size",
    "num_heads": "num_heads",
    "head_dim": "head_dim",
    "num_layers": "num_layers",
    "mlp_dim": "mlp_dim",
}
_FIXED_VIT_VQGAN = {"use_bias": False, "act_fn": "relu", "output_channel": 1, "use_decoder": True}


def from_port(
    config: Mapping[str, Any], *, tokenizer: str = "", resampler_activation: str = "gelu_tanh"
) -> UnifiedIOConfig:
    """Returns the model that a port's config describes.

    Args:
      config: Content of its `config.json`.
      tokenizer: Path of LLaMA's tokenizer.model; "" leaves the model without words until one is given.
      resampler_activation: "gelu_tanh" is what the released models were trained with; "gelu" is what the port
        computes.

    Raises:
      ConfigError: A field is missing, or switches what we can not build.
    """
    try:
        return _from_port(config, tokenizer, resampler_activation)
    except KeyError as error:
        raise ConfigError(
            f"the port's config has no field {error}; is this its config.json, and whole?"
        ) from error


def _from_port(config: Mapping[str, Any], tokenizer: str, activation: str) -> UnifiedIOConfig:
    t5 = config["t5_config"]
    _fixed("t5_config", t5, _FIXED)
    for media in ("image", "audio"):
        if not (config.get(f"use_{media}_vit", True) and config.get(f"use_{media}_history_vit", True)):
            raise ConfigError(f"the port's config turns the {media} encoder off; no released model does")
    scale = math.sqrt(t5["decoder_max_image_length"] / t5["encoder_max_image_length"])
    frames = config["sequence_length"]["num_frames"]
    vocabulary = _vocabulary(t5["vocab_size"], tokenizer)

    def image(size: str) -> ImageInput:
        encoder = vit(config["image_vit_cfg"])
        side, patch = _side(t5, size), t5["image_vit_patch_size"]
        return ImageInput(resolution=side, patch=patch, position_scale=scale, vit=encoder)

    def audio(size: str) -> AudioInput:
        encoder = ast(config["audio_vit_cfg"])
        return AudioInput(
            mel=_mel(t5[size]), patch=t5["audio_vit_patch_size"], position_scale=scale, ast=encoder
        )

    def history(media: ImageInput | AudioInput) -> History:
        return History(media, resampler(config[f"{media.name}_history_cfg"], activation), frames)

    inputs: dict[str, Any] = {
        "text": lambda: TextInput(vocabulary, t5["encoder_max_text_length"]),
        "image": lambda: image("default_image_vit_size"),
        "image_history": lambda: history(image("default_image_history_vit_size")),
        "audio": lambda: audio("default_audio_vit_size"),
        "audio_history": lambda: history(audio("default_audio_history_vit_size")),
    }
    targets: dict[str, Any] = {
        "text": lambda: TextTarget(vocabulary, t5["decoder_max_text_length"]),
        "image": lambda: ImageTarget(vocab_size=t5["image_vocab_size"], vqgan=vqgan(config["image_vqgan"])),
        "audio": lambda: _audio_target(t5["audio_vocab_size"], vit_vqgan(config["audio_vqgan"])),
    }
    return UnifiedIOConfig(
        BackboneConfig(
            **{name: t5[name] for name in _BACKBONE},
            scan_layers=False,
        ),
        tuple(make() for name, make in inputs.items() if name in config["input_modalities"]),
        tuple(make() for name, make in targets.items() if name in config["target_modalities"]),
    )


_BACKBONE = (
    "emb_dim",
    "num_heads",
    "head_dim",
    "mlp_dim",
    "num_encoder_layers",
    "num_decoder_layers",
    "dropout_rate",
    "qk_norm",
)


def vit(config: Mapping[str, Any]) -> VitConfig:
    """Returns the image encoder of a port's `image_vit_cfg`."""
    _fixed("image_vit_cfg", config, _FIXED_VIT)
    side = math.isqrt(config["num_pos"] - 1)
    if side * side != config["num_pos"] - 1:
        raise ConfigError(f"num_pos {config['num_pos']} is not a square of patches and one class token")
    return VitConfig(**_encoder_sizes(config), grid=(side, side))


def ast(config: Mapping[str, Any]) -> AstConfig:
    """Returns the audio encoder of a port's `audio_vit_cfg`."""
    _fixed("audio_vit_cfg", config, {**_FIXED_VIT, "vit_embed": True})
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


def resampler(config: Mapping[str, Any], activation: str = "gelu_tanh") -> ResamplerConfig:
    """Returns the resampler of a port's `image_history_cfg` or `audio_history_cfg`."""
    _fixed("the resampler", config, _FIXED_RESAMPLER)
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


def vqgan(config: Mapping[str, Any]) -> VQGANConfig:
    """Returns the image tokenizer of a port's `image_vqgan`."""
    _fixed("image_vqgan", config, _FIXED_VQGAN)
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


def vit_vqgan(config: Mapping[str, Any]) -> ViTVQGANConfig:
    """Returns the audio tokenizer of a port's `audio_vqgan`."""
    _fixed("audio_vqgan", config, _FIXED_VIT_VQGAN)
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


def _audio_target(vocab_size: int, tokenizer: ViTVQGANConfig) -> AudioTarget:
    return AudioTarget(
        vocab_size=vocab_size, mel=_mel((tokenizer.frames, tokenizer.mels)), vit_vqgan=tokenizer
    )


def _mel(size: Any) -> MelConfig:
    frames, mels = size
    return MelConfig(frames=frames, mels=mels)


def _vocabulary(size: int, tokenizer: str) -> Vocabulary:
    if size < Vocabulary.least_size(LLAMA_PIECES):
        return IdsOnly(None, 0, size)
    return Vocabulary(tokenizer, LLAMA_PIECES, size)


def _side(t5: Mapping[str, Any], name: str) -> int:
    height, width = t5[name]
    if height != width:
        raise ConfigError(f"{name} is {height}x{width}; only squares are built")
    return height


def _fixed(where: str, config: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    for name, value in fixed.items():
        given = config.get(name, value)
        if (list(given) if isinstance(given, tuple) else given) != value:
            raise ConfigError(
                f"{where}.{name} is {given!r}; only {value!r}, what every released model has, is built"
            )


def to_port(config: UnifiedIOConfig) -> dict[str, Any]:
    """Returns the content of the port's `config.json` for a model of ours; the inverse of `from_port`.

    Raises:
      ConfigError: The model has a modality that the port has not, or a shape that it can not hold.
    """
    inputs = {m.name: m for m in config.inputs}
    targets = {m.name: m for m in config.targets}
    for side, have, known in (("inputs", inputs, INPUTS), ("targets", targets, TARGETS)):
        if list(have) != list(known):
            raise ConfigError(
                f"the port's config describes all {side} {', '.join(known)}, in this order; the model has "
                f"{', '.join(have)}; export the whole model"
            )
    image, audio = inputs["image"], inputs["audio"]
    backbone = config.backbone
    return {
        "t5_config": {
            **{name: getattr(backbone, name) for name in _BACKBONE},
            **_FIXED,
            "vocab_size": targets["text"].vocabulary.size,
            "image_vocab_size": targets["image"].vocab_size,
            "audio_vocab_size": targets["audio"].vocab_size,
            "dalle_attn_mask": True,
            "dynamic_unk_mask": True,
            "encoder_max_text_length": inputs["text"].max_length,
            "encoder_max_image_length": image.grid[0] * image.grid[1],
            "encoder_max_audio_length": audio.grid[0] * audio.grid[1],
            "decoder_max_text_length": targets["text"].max_length,
            "decoder_max_image_length": round(image.position_scale**2 * image.grid[0] * image.grid[1]),
            "decoder_max_audio_length": targets["audio"].slot_size,
            "default_image_size": list(targets["image"].shape[:2]),
            "default_image_vit_size": list(image.size),
            "default_image_history_vit_size": list(inputs["image_history"].media.size),
            "default_audio_size": list(targets["audio"].shape[:2]),
            "default_audio_vit_size": list(audio.size),
            "default_audio_history_vit_size": list(inputs["audio_history"].media.size),
            "image_patch_size": image.patch,
            "image_vit_patch_size": image.patch,
            "audio_patch_size": audio.patch,
            "audio_vit_patch_size": audio.patch,
        },
        "image_history_cfg": _to_resampler(inputs["image_history"].resampler),
        "audio_history_cfg": _to_resampler(inputs["audio_history"].resampler),
        "freeze_vit": image.frozen,
        "input_modalities": list(INPUTS),
        "target_modalities": list(TARGETS),
        "sequence_length": {
            "is_training": True,
            "image_input_samples": image.grid[0] * image.grid[1],
            "image_history_input_samples": math.prod(inputs["image_history"].media.grid),
            "audio_input_samples": audio.grid[0] * audio.grid[1],
            "audio_history_input_samples": math.prod(inputs["audio_history"].media.grid),
            "num_frames": inputs["image_history"].max_frames,
        },
        "image_vqgan": _to_vqgan(targets["image"].vqgan),
        "audio_vqgan": _to_vit_vqgan(targets["audio"].vit_vqgan),
        "image_vit_cfg": {
            **_to_encoder(image.vit, image.patch),
            "default_input_size": list(image.size),
            "num_pos": 1 + math.prod(image.vit.grid),
        },
        "audio_vit_cfg": {
            **_to_encoder(audio.ast, audio.patch),
            "vit_embed": True,
            "default_input_size": [side * audio.patch for side in audio.ast.grid],
            "transpose_input": True,
        },
        **{f"use_{kind}_vit": True for kind in ("image", "audio", "image_history", "audio_history")},
    }


def _to_encoder(encoder: VitConfig, patch: int) -> dict[str, Any]:
    return {
        **_FIXED_VIT,
        "patch_size": patch,
        "pos_patch_size": patch,
        "emb_dim": encoder.width,
        "num_heads": encoder.num_heads,
        "num_layers": encoder.num_layers,
        "head_dim": encoder.width // encoder.num_heads,
        "mlp_dim": encoder.mlp_dim,
        "dropout_rate": 0.0,
    }


def _to_resampler(config: ResamplerConfig) -> dict[str, Any]:
    return {
        **_FIXED_RESAMPLER,
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


def _to_vqgan(config: VQGANConfig) -> dict[str, Any]:
    if config.groups != 32:
        raise ConfigError(f"the image tokenizer has {config.groups} groups a norm; the port has 32, always")
    return {
        **_FIXED_VQGAN,
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


def _to_vit_vqgan(config: ViTVQGANConfig) -> dict[str, Any]:
    halves = {"encoder": config, "decoder": config.decoder or config}
    return {
        **_FIXED_VIT_VQGAN,
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
