"""The `config.json` of our own fixtures: odd sizes, so that no two that should differ are alike by chance.

Sizes go against those of the official fixtures on purpose: three heads, encoders and decoders of different depth and
width, grids that are not square, tables larger and smaller than what is read.
"""

from typing import Any

Config = dict[str, Any]

_VIT = {
    "mlp_activations": ["gelu"],
    "dropout_rate": 0.0,
    "dropout_broadcast_dims": [],
    "float32_attention_logits": True,
}


def image_vit(*, width: int, heads: int, layers: int, mlp: int, patch: int, side: int, table: int) -> Config:
    """A ViT whose position table is `table` x `table` patches, for images of `side` patches."""
    return {
        "patch_size": patch,
        "pos_patch_size": patch,
        "emb_dim": width,
        "num_heads": heads,
        "num_layers": layers,
        "head_dim": width // heads,
        "mlp_dim": mlp,
        **_VIT,
        "default_input_size": [side * patch, side * patch],
        "num_pos": 1 + table * table,
    }


def audio_vit(*, width: int, heads: int, layers: int, mlp: int, patch: int, grid: tuple[int, int]) -> Config:
    """An AST for spectrograms of `grid` patches (time, mel)."""
    return {
        "vit_embed": True,
        "patch_size": patch,
        "pos_patch_size": patch,
        "emb_dim": width,
        "num_heads": heads,
        "num_layers": layers,
        "head_dim": width // heads,
        "mlp_dim": mlp,
        **_VIT,
        "default_input_size": [grid[0] * patch, grid[1] * patch],
        "transpose_input": True,
    }


def attention_kind(qk_norm: bool, scaled_cosine: bool) -> Config:
    """What becomes of queries and keys in a resampler, whichever they look at."""
    return {
        f"{where}_{what}": value
        for where in ("xattn", "attn")
        for what, value in {"qk_norm": qk_norm, "scaled_cosine": scaled_cosine}.items()
    }


def resampler(
    *, width: int, heads: int, latents: int, mlp: int, crossing: list[int], layers: int, kind: Config
) -> Config:
    """A resampler whose layers `crossing` look at what there is to see."""
    return {
        "resampler_type": "perceiver",
        "max_frames": 5,
        "latents_size": latents,
        "emb_dim": width,
        "num_heads": heads,
        "num_layers": layers,
        "xattention_index": crossing,
        "head_dim": width // heads,
        "mlp_dim": mlp,
        "mlp_activations": ["gelu"],
        "dropout_rate": 0.0,
        "dropout_broadcast_dims": [-2],
        "droppath_rate": 0.0,
        "layer_drop": 0.0,
        **kind,
        "float32_attention_logits": True,
        "clip_attn_logit": None,
    }


def image_vqgan(
    *, multipliers: list[int], resolution: int, attending: list[int], z: int, code: int, entries: int
) -> Config:
    """A VQGAN as narrow as its norms allow: they have 32 groups."""
    stride = 2 ** (len(multipliers) - 1)
    return {
        "embed_dim": code,
        "n_embed": entries,
        "double_z": False,
        "z_channels": z,
        "resolution": resolution,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 32,
        "ch_mult": multipliers,
        "num_res_blocks": 1,
        "attn_resolutions": attending,
        "dropout": 0,
        "default_input_size": [resolution, resolution],
        "patch_size": [stride, stride],
        "checkpoint_path": "",
    }


def trunk(half: str, *, width: int, heads: int, head_dim: int, layers: int, mlp: int) -> Config:
    """One half of the audio tokenizer."""
    return {
        f"{half}_hidden_size": width,
        f"{half}_num_layers": layers,
        f"{half}_mlp_dim": mlp,
        f"{half}_num_heads": heads,
        f"{half}_head_dim": head_dim,
    }


def audio_vqgan(
    *, encoder: Config, decoder: Config, entries: int, code: int, size: list[int], patch: int
) -> Config:
    """A ViT-VQGAN for spectrograms of `size` (mel, time)."""
    return {
        "vocab_size": entries,
        "proj_dim": code,
        **encoder,
        **decoder,
        "dropout_rate": 0.0,
        "droppath_rate": 0.0,
        "attention_dropout_rate": 0.0,
        "use_bias": False,
        "act_fn": "relu",
        "default_input_size": size,
        "patch_size": [patch, patch],
        "output_channel": 1,
        "checkpoint_path": "",
        "use_decoder": True,
    }


def network(
    *,
    backbone: Config,
    image: Config,
    image_side: int,
    history_side: int,
    audio: Config,
    image_history: Config,
    audio_history: Config,
    image_codec: Config,
    audio_codec: Config,
) -> Config:
    """The whole model; sides are those of the main image and of a frame, in patches."""
    patch, (time, mel) = image["patch_size"], audio["default_input_size"]
    sounds = time // audio["patch_size"] * (mel // audio["patch_size"])
    made_mel, made_time = audio_codec["default_input_size"]
    return {
        "t5_config": {
            "vocab_size": 43,
            "image_vocab_size": image_codec["n_embed"] + 4,
            "audio_vocab_size": audio_codec["vocab_size"] + 3,
            **backbone,
            "mlp_activations": ["silu", "linear"],
            "dropout_rate": 0.0,
            "dropout_broadcast_dims": [-2],
            "logits_via_embedding": True,
            "float32_attention_logits": True,
            "decoder_xattention_internval": 1,
            "dalle_attn_mask": True,
            "dynamic_unk_mask": True,
            "encoder_max_image_length": image_side**2,
            "encoder_max_audio_length": sounds,
            "encoder_max_text_length": 12,
            # Longer than any image that is drawn: only its ratio to what is read counts.
            "decoder_max_image_length": (image_side + 1) ** 2,
            "decoder_max_audio_length": made_mel * made_time // audio_codec["patch_size"][0] ** 2,
            "decoder_max_text_length": 14,
            **{
                f"{name}_pos_emb": "llama_rope"
                for name in ("text", "image", "audio", "image_history", "audio_history")
            },
            "image_tokenizer_type": "vqgan",
            "default_image_size": image_codec["default_input_size"],
            "default_image_vit_size": [image_side * patch] * 2,
            "default_image_history_vit_size": [history_side * patch] * 2,
            "default_audio_size": [made_time, made_mel],
            "default_audio_vit_size": [time, mel],
            "default_audio_history_vit_size": [time, mel],
            "image_patch_size": patch,
            "image_vit_patch_size": patch,
            "audio_patch_size": audio["patch_size"],
            "audio_vit_patch_size": audio["patch_size"],
        },
        "image_history_cfg": image_history,
        "audio_history_cfg": audio_history,
        "freeze_vit": True,
        "input_modalities": ["text", "image", "image_history", "audio", "audio_history"],
        "target_modalities": ["text", "image", "audio"],
        "sequence_length": {
            "is_training": True,
            "image_input_samples": image_side**2,
            "image_history_input_samples": history_side**2,
            "audio_input_samples": sounds,
            "audio_history_input_samples": sounds,
            "num_frames": 3,
        },
        "image_vqgan": image_codec,
        "audio_vqgan": audio_codec,
        "image_vit_cfg": image,
        "audio_vit_cfg": audio,
        **{f"use_{name}_vit": True for name in ("image", "audio", "image_history", "audio_history")},
    }
