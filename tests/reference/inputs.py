"""The five input embedders, and the row they make together. `config` is the whole `config.json` of the port."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from reference.layers import dense, gelu
from reference.resampler import resampler
from reference.rotary import angles_1d, grid_angles, side_by_side
from reference.vit import audio_vit, image_vit
from reference.weights import Trace, Weights

ORDER = ("text", "image", "image_history", "audio", "audio_history")


@dataclasses.dataclass(frozen=True)
class Tokens:
    """Tokens of a batch: what the backbone reads.

    Attributes:
      embed: Their vectors [B, L, D].
      mask: Which of them are real [B, L].
      angles: What rotary attention turns them by [B, L, head_dim / 2].
    """

    embed: np.ndarray
    mask: np.ndarray
    angles: np.ndarray


def join(parts: Sequence[Tokens]) -> Tokens:
    """Puts tokens one behind the other."""
    return Tokens(
        *(np.concatenate([getattr(p, f.name) for p in parts], 1) for f in dataclasses.fields(Tokens))
    )


def embed_inputs(
    w: Weights, config: Mapping[str, Any], features: Mapping[str, np.ndarray], seen: Trace
) -> Tokens:
    """Embeds every modality of `features` ("modality/name"), in the model's order."""
    present = [name for name in ORDER if f"{name}/mask" in features]
    parts = []
    for name in present:
        of = {k.split("/")[1]: v for k, v in features.items() if k.split("/")[0] == name}
        parts.append(_EMBEDDERS[name](w, config, of, seen))
        record(seen.under(f"embed/{name}"), parts[-1])
    whole = join(parts)
    record(seen.under("seq"), whole)
    return whole


def record(seen: Trace, tokens: Tokens) -> None:
    """Writes down tokens as the fixtures do."""
    seen["embed"], seen["mask"] = tokens.embed, tokens.mask.astype(np.int32)
    seen["position_embed"] = side_by_side(tokens.angles)


def grid_of(config: Mapping[str, Any], name: str) -> tuple[int, int]:
    """Patches of an image or a sound: (rows, columns), (time, mel)."""
    t5 = config["t5_config"]
    kind = name.removesuffix("_history")
    height, width = t5[f"default_{name}_vit_size"]
    return height // t5[f"{kind}_vit_patch_size"], width // t5[f"{kind}_vit_patch_size"]


def position_scale(config: Mapping[str, Any]) -> float:
    """By what the coordinates of images, and of sounds, are multiplied."""
    t5 = config["t5_config"]
    return math.sqrt(t5["decoder_max_image_length"] / t5["encoder_max_image_length"])


def media_angles(config: Mapping[str, Any], name: str, positions: np.ndarray) -> np.ndarray:
    """Angles of patches of the main image or sound by their places in the grid."""
    return grid_angles(
        positions, grid_of(config, name)[1], config["t5_config"]["head_dim"], position_scale(config)
    )


def frame_angles(frames: int, latents: int, head_dim: int, dtype: np.dtype) -> np.ndarray:
    """Angles of the tokens of a history: the frame is the row, the latent the column."""
    return grid_angles(np.arange(frames * latents).astype(dtype), latents, head_dim)


def _text(w: Weights, config: Mapping[str, Any], of: Mapping[str, np.ndarray], seen: Trace) -> Tokens:
    embed = w["text_token_embedder.weight"][of["tokens"]] + w["input_embedders.text.modality_embedding"]
    angles = angles_1d(of["pos_ids"].astype(w.dtype), config["t5_config"]["head_dim"])
    return Tokens(embed, of["mask"] > 0, angles)


def _media(name: str) -> Callable[..., Tokens]:
    def embed(w: Weights, config: Mapping[str, Any], of: Mapping[str, np.ndarray], seen: Trace) -> Tokens:
        mask = of["mask"] > 0
        last, second = _vit(w, config, name, of["input"], mask, of["pos_ids"], grid_of(config, name))
        seen[f"vit/{name}/x"], seen[f"vit/{name}/x1"] = last, second
        module = w.under(f"input_embedders.{name}")
        both = dense(np.concatenate([last, second], axis=-1), module.under("projection"))
        angles = media_angles(config, name, of["pos_ids"].astype(w.dtype))
        return Tokens(both + module["modality_embedding"], mask, angles)

    return embed


def _history(kind: str) -> Callable[..., Tokens]:
    name = f"{kind}_history"

    def embed(w: Weights, config: Mapping[str, Any], of: Mapping[str, np.ndarray], seen: Trace) -> Tokens:
        batch, frames = of["mask"].shape[:2]
        patches, positions = (
            of[key].reshape(batch * frames, *of[key].shape[2:]) for key in ("input", "pos_ids")
        )
        mask = of["mask"].reshape(batch * frames, -1) > 0
        last, second = _vit(w, config, kind, patches, mask, positions, grid_of(config, name))
        # The encoder's second use, for the history of what it read before.
        seen[f"vit/{kind}/x__call2"], seen[f"vit/{kind}/x1__call2"] = last, second
        module, settings = w.under(f"input_embedders.{name}"), config[f"{name}_cfg"]
        tokens = frame_tokens(module, settings, last, mask, gelu, Trace())
        return lay_out_frames(module, config["t5_config"]["head_dim"], tokens, of["mask"] > 0)

    return embed


def frame_tokens(
    w: Weights,
    config: Mapping[str, Any],
    features: np.ndarray,
    mask: np.ndarray,
    activation: Callable[[np.ndarray], np.ndarray],
    seen: Trace,
) -> np.ndarray:
    """Turns frames [N, P, C] into [N, latents, D]."""
    seen["pre_projection"] = dense(features.astype(w.dtype), w.under("pre_projection"))
    seen["resampler_out"] = resampler(w.under("resampler"), config, seen["pre_projection"], mask, activation)
    seen["post_projection"] = dense(seen["resampler_out"], w.under("post_projection"))
    return seen["post_projection"]


def lay_out_frames(w: Weights, head_dim: int, tokens: np.ndarray, mask: np.ndarray) -> Tokens:
    """Puts the tokens of all frames [B * frames, latents, D] in rows; a frame is real if one of its patches is."""
    batch, frames = mask.shape[:2]
    latents = tokens.shape[1]
    angles = frame_angles(frames, latents, head_dim, w.dtype)
    return Tokens(
        tokens.reshape(batch, frames * latents, -1) + w["modality_embedding"],
        np.repeat(mask.any(axis=2), latents, axis=1),
        np.broadcast_to(angles, (batch, *angles.shape)),
    )


def _vit(
    w: Weights,
    config: Mapping[str, Any],
    kind: str,
    patches: np.ndarray,
    mask: np.ndarray,
    positions: np.ndarray,
    grid: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    module = w.under(f"input_embedders.{kind}.image_encoder")
    if kind == "image":
        return image_vit(module, config["image_vit_cfg"], patches, mask, positions, grid)
    return audio_vit(module, config["audio_vit_cfg"], patches, mask, positions)


_EMBEDDERS = {
    "text": _text,
    "image": _media("image"),
    "image_history": _history("image"),
    "audio": _media("audio"),
    "audio_history": _history("audio"),
}
