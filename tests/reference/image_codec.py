"""The image VQGAN. Inside, arrays are [B, C, h, w]; `config` is the port's `image_vqgan`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reference.convolution import conv2d
from reference.layers import silu, softmax
from reference.weights import Trace, Weights

GROUPS = 32
# How much of the loss pulls the encoder's vectors, beside what pulls the codebook.
COMMITMENT = 0.25


def vectors(w: Weights, config: Mapping[str, Any], images: np.ndarray, seen: Trace) -> np.ndarray:
    """Images [B, h, w, 3] in [-1, 1] to the vectors [B, C, gh, gw] that codes stand for."""
    e = w.under("encoder")
    seen["conv_in_out"] = x = _conv3(e.under("conv_in"), np.moveaxis(images.astype(w.dtype), 3, 1))
    levels = len(config["ch_mult"])
    for level in range(levels):
        for block in range(config["num_res_blocks"]):
            x = seen[f"down_{level}_block_{block}_out"] = _block(e.under(f"down_{level}_block_{block}"), x)
            if _attends(config, level):
                x = _attention(e.under(f"down_{level}_attn_{block}"), x)
                seen[f"down_{level}_attn_{block}_out"] = x
        if level < levels - 1:
            conv = e.under(f"down_{level}_downsample.conv")
            x = conv2d(x, conv["weight"], conv["bias"], stride=2, padding=(0, 1))
            seen[f"down_{level}_downsample_out"] = x
    x = _middle(e, x, seen)
    seen["encoder_out"] = _out(e, x)
    seen["quant_conv_out"] = _conv1(w.under("quant_conv"), seen["encoder_out"])
    return seen["quant_conv_out"]


def distances(vectors: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    """Squared distance of every vector [N, C] to every entry [K, C]."""
    return np.sum((vectors[:, None] - codebook[None]) ** 2, axis=-1)


def margin(distances: np.ndarray) -> np.ndarray:
    """By how much the nearest entry is nearer than the second."""
    nearest = np.sort(distances, axis=1)
    return nearest[:, 1] - nearest[:, 0]


def encode(w: Weights, config: Mapping[str, Any], images: np.ndarray, seen: Trace) -> np.ndarray:
    """Images to codes [B, gh * gw], row by row."""
    z = vectors(w, config, images, seen)
    codebook = w["quantize.embedding.weight"]
    flat = np.moveaxis(z, 1, 3).reshape(-1, z.shape[1])
    seen["distances"] = distances(flat, codebook)
    seen["margin"] = margin(seen["distances"])
    codes = seen["distances"].argmin(axis=1).astype(np.int32)
    entries = codebook[codes].reshape(len(z), *z.shape[2:], -1)
    seen["quantized"] = np.moveaxis(entries, 3, 1)
    seen["emb_loss"] = (1 + COMMITMENT) * np.mean((seen["quantized"] - z) ** 2)
    seen["indices"] = codes.reshape(len(z), -1)
    return seen["indices"]


def decode(w: Weights, config: Mapping[str, Any], codes: np.ndarray, seen: Trace) -> np.ndarray:
    """Codes of square images to pixels [B, h, w, 3] in about [-1, 1]."""
    side = round(codes.shape[1] ** 0.5)
    entries = np.moveaxis(w["quantize.embedding.weight"][codes].reshape(len(codes), side, side, -1), 3, 1)
    seen["post_quant_conv_out"] = x = _conv1(w.under("post_quant_conv"), entries)
    d = w.under("decoder")
    x = _middle(d, _conv3(d.under("conv_in"), x), seen)
    seen["mid_out"] = x
    levels = len(config["ch_mult"])
    for up in range(levels):  # from the coarsest level
        level = levels - 1 - up
        for block in range(config["num_res_blocks"] + 1):
            x = _block(d.under(f"up_{up}_block_{block}"), x)
            if _attends(config, level):
                x = _attention(d.under(f"up_{up}_attn_{block}"), x)
        seen[f"up_{up}_out"] = x
        if level > 0:
            x = _conv3(d.under(f"up_{up}_upsample.conv"), x.repeat(2, axis=2).repeat(2, axis=3))
    seen["image"] = np.moveaxis(_out(d, x), 1, 3)
    return seen["image"]


def _attends(config: Mapping[str, Any], level: int) -> bool:
    return config["resolution"] // 2**level in config["attn_resolutions"]


def _conv1(w: Weights, x: np.ndarray) -> np.ndarray:
    return conv2d(x, w["weight"], w["bias"])


def _conv3(w: Weights, x: np.ndarray) -> np.ndarray:
    return conv2d(x, w["weight"], w["bias"], padding=(1, 1))


def _norm(w: Weights, x: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 over the pixels and neighbouring channels of a group."""
    groups = x.reshape(len(x), GROUPS, -1)
    centred = groups - groups.mean(axis=2, keepdims=True)
    y = centred / np.sqrt(np.mean(centred**2, axis=2, keepdims=True) + 1e-6)
    return y.reshape(x.shape) * w["weight"][:, None, None] + w["bias"][:, None, None]


def _block(w: Weights, x: np.ndarray) -> np.ndarray:
    h = _conv3(w.under("conv1"), silu(_norm(w.under("norm1"), x)))
    h = _conv3(w.under("conv2"), silu(_norm(w.under("norm2"), h)))
    return h + (_conv1(w.under("nin_shortcut"), x) if "nin_shortcut.weight" in w else x)


def _attention(w: Weights, x: np.ndarray) -> np.ndarray:
    h = _norm(w.under("norm"), x)
    q, k, v = (_conv1(w.under(name), h).reshape(*x.shape[:2], -1) for name in "qkv")
    weights = softmax(q.swapaxes(1, 2) @ k / np.sqrt(x.shape[1]).astype(x.dtype))
    return x + _conv1(w.under("proj_out"), (v @ weights.swapaxes(1, 2)).reshape(x.shape))


def _middle(w: Weights, x: np.ndarray, seen: Trace) -> np.ndarray:
    x = _block(w.under("mid_block_1"), x)
    seen["mid_attn_1_out"] = _attention(w.under("mid_attn_1"), x)
    return _block(w.under("mid_block_2"), seen["mid_attn_1_out"])


def _out(w: Weights, x: np.ndarray) -> np.ndarray:
    return _conv3(w.under("conv_out"), silu(_norm(w.under("norm_out"), x)))
