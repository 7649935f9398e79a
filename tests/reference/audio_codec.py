"""The audio ViT-VQGAN. Spectrograms are [B, mel, time, 1]; `config` is the port's `audio_vqgan`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reference.attention import attend, merge, split
from reference.image_codec import distances, margin
from reference.layers import dense, layer_norm, relu, unit
from reference.rotary import sines_and_cosines
from reference.weights import Trace, Weights

EPSILON = 1e-6


def grid(config: Mapping[str, Any]) -> tuple[int, int]:
    """Patches in mel and in time: codes run mel band by mel band."""
    (mel, time), (height, width) = config["default_input_size"], config["patch_size"]
    return mel // height, time // width


def vectors(w: Weights, config: Mapping[str, Any], spectrograms: np.ndarray, seen: Trace) -> np.ndarray:
    """Spectrograms to the vectors [B, codes, C] that codes stand for, not yet of length 1."""
    e = w.under("encoder")
    rows, columns = grid(config)
    height, width = config["patch_size"]
    patches = spectrograms.astype(w.dtype).reshape(-1, rows, height, columns, width)
    patches = patches.swapaxes(2, 3).reshape(len(patches), rows * columns, height * width)
    table = sines_and_cosines(rows, columns, config["encoder_hidden_size"], w.dtype)
    seen["position_embedding"] = table
    seen["patch_embedding"] = dense(patches, e.under("embedding"))
    x = _transformer(e, config, "encoder", seen["patch_embedding"] + table, seen)
    seen["transformer_out"] = x
    seen["proj_out"] = dense(relu(x), e.under("encoder_proj"))
    seen["encoder_out"] = layer_norm(seen["proj_out"], e.under("encoder_norm"), EPSILON)
    return seen["encoder_out"]


def encode(w: Weights, config: Mapping[str, Any], spectrograms: np.ndarray, seen: Trace) -> np.ndarray:
    """Spectrograms to codes [B, mel patches * time patches]: the entry whose direction is nearest."""
    z = vectors(w, config, spectrograms, seen)
    seen["distances"] = distances(unit(z).reshape(-1, z.shape[-1]), unit(w["quantize.embedding.weight"]))
    seen["margin"] = margin(seen["distances"])
    seen["indices"] = seen["distances"].argmin(axis=1).astype(np.int32).reshape(z.shape[:2])
    return seen["indices"]


def decode(w: Weights, config: Mapping[str, Any], codes: np.ndarray, seen: Trace) -> np.ndarray:
    """Codes to spectrograms [B, mel, time]."""
    d = w.under("decoder")
    rows, columns = grid(config)
    height, width = config["patch_size"]
    seen["codebook_rows"] = unit(w["quantize.embedding.weight"])[codes]
    seen["proj_out"] = dense(seen["codebook_rows"], d.under("decoder_proj"))
    table = sines_and_cosines(rows, columns, config["decoder_hidden_size"], w.dtype)
    x = _transformer(d, config, "decoder", seen["proj_out"] + table, Trace())
    seen["transformer_out"] = x
    # Kernel and stride are the patch: every code fills its own.
    patches = np.einsum("bnc,cij->bnij", x, d["conv_transpose.weight"][:, 0])
    patches = patches.reshape(len(codes), rows, columns, height, width).swapaxes(2, 3)
    return patches.reshape(len(codes), rows * height, columns * width)


def _transformer(w: Weights, config: Mapping[str, Any], half: str, x: np.ndarray, seen: Trace) -> np.ndarray:
    heads = config[f"{half}_num_heads"]
    for i in range(config[f"{half}_num_layers"]):
        block = w.under(f"transformer.encoderblock_{i}")
        h = layer_norm(x, block.under("ln_1"), EPSILON)
        q, k, v = (split(dense(h, block.under(f"attn.{name}")), heads) for name in ("query", "key", "value"))
        q = q / np.sqrt(q.shape[-1]).astype(q.dtype)
        seen[f"block{i}_attn_out"] = dense(merge(attend(q, k, v, np.True_)), block.under("attn.out"))
        x = x + seen[f"block{i}_attn_out"]
        inner = relu(dense(layer_norm(x, block.under("ln_2"), EPSILON), block.under("mlp.fc1")))
        x = seen[f"block{i}_out"] = x + dense(inner, block.under("mlp.fc2"))
    return layer_norm(x, w.under("transformer.encoder_norm"), EPSILON)
