"""The `config.json` of the PyTorch port as a config of ours, and back.

What the port can switch and no released model switches is refused by name.
"""

import math
from collections.abc import Mapping
from typing import Any

from unified_io.backbones.encoder_decoder import BackboneConfig
from unified_io.convert.port import encoders, fixed, resampler, tokenizers
from unified_io.errors import ConfigError
from unified_io.mel import MelConfig
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.history import History
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import UnifiedIOConfig
from unified_io.tokenizers.vit_vqgan import ViTVQGANConfig
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
    fixed.check("t5_config", t5, _FIXED)
    for media in ("image", "audio"):
        if not (config.get(f"use_{media}_vit", True) and config.get(f"use_{media}_history_vit", True)):
            raise ConfigError(f"the port's config turns the {media} encoder off; no released model does")
    scale = math.sqrt(t5["decoder_max_image_length"] / t5["encoder_max_image_length"])
    frames = config["sequence_length"]["num_frames"]
    vocabulary = _vocabulary(t5["vocab_size"], tokenizer)

    def image(size: str) -> ImageInput:
        encoder = encoders.vit(config["image_vit_cfg"])
        side, patch = _side(t5, size), t5["image_vit_patch_size"]
        return ImageInput(resolution=side, patch=patch, position_scale=scale, vit=encoder)

    def audio(size: str) -> AudioInput:
        encoder = encoders.ast(config["audio_vit_cfg"])
        return AudioInput(
            mel=_mel(t5[size]), patch=t5["audio_vit_patch_size"], position_scale=scale, ast=encoder
        )

    def history(media: ImageInput | AudioInput) -> History:
        return History(media, resampler.from_port(config[f"{media.name}_history_cfg"], activation), frames)

    inputs: dict[str, Any] = {
        "text": lambda: TextInput(vocabulary, t5["encoder_max_text_length"]),
        "image": lambda: image("default_image_vit_size"),
        "image_history": lambda: history(image("default_image_history_vit_size")),
        "audio": lambda: audio("default_audio_vit_size"),
        "audio_history": lambda: history(audio("default_audio_history_vit_size")),
    }
    targets: dict[str, Any] = {
        "text": lambda: TextTarget(vocabulary, t5["decoder_max_text_length"]),
        "image": lambda: ImageTarget(
            vocab_size=t5["image_vocab_size"], vqgan=tokenizers.vqgan(config["image_vqgan"])
        ),
        "audio": lambda: _audio_target(t5["audio_vocab_size"], tokenizers.vit_vqgan(config["audio_vqgan"])),
    }
    return UnifiedIOConfig(
        BackboneConfig(
            **{name: t5[name] for name in _BACKBONE},
            scan_layers=False,
        ),
        tuple(make() for name, make in inputs.items() if name in config["input_modalities"]),
        tuple(make() for name, make in targets.items() if name in config["target_modalities"]),
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
        "image_history_cfg": resampler.to_port(inputs["image_history"].resampler),
        "audio_history_cfg": resampler.to_port(inputs["audio_history"].resampler),
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
        "image_vqgan": tokenizers.to_vqgan(targets["image"].vqgan),
        "audio_vqgan": tokenizers.to_vit_vqgan(targets["audio"].vit_vqgan),
        "image_vit_cfg": {
            **encoders.to_port(image.vit, image.patch),
            "default_input_size": list(image.size),
            "num_pos": 1 + math.prod(image.vit.grid),
        },
        "audio_vit_cfg": {
            **encoders.to_port(audio.ast, audio.patch),
            "vit_embed": True,
            "default_input_size": [side * audio.patch for side in audio.ast.grid],
            "transpose_input": True,
        },
        **{f"use_{kind}_vit": True for kind in ("image", "audio", "image_history", "audio_history")},
    }
