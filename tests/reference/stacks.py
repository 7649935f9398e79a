"""Encoder and decoder of the backbone; its `config` is the port's `t5_config`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reference.attention import Heads, attention
from reference.layers import dense, rms_norm, silu
from reference.weights import Trace, Weights


def encoder(
    w: Weights,
    config: Mapping[str, Any],
    x: np.ndarray,
    mask: np.ndarray,
    angles: np.ndarray,
    seen: Trace,
) -> np.ndarray:
    """Every real place looks at every other."""
    heads = Heads(config["num_heads"], config["qk_norm"])
    allowed = (mask[:, :, None] & mask[:, None, :])[:, None]
    for i in range(config["num_encoder_layers"]):
        layer, at = w.under(f"layers_{i}"), seen.under(f"layers_{i}")
        at["pre_attention_norm"] = h = rms_norm(x, layer["pre_attention_norm.scale"])
        attended = attention(layer.under("attention"), heads, h, h, allowed, angles, angles, at)
        at["attention"] = attended
        x = _mlp(layer, x + attended, at)
    seen["out"] = rms_norm(x, w["encoder_norm.scale"])
    return seen["out"]


def decoder(
    w: Weights,
    config: Mapping[str, Any],
    x: np.ndarray,
    allowed: np.ndarray,
    angles: np.ndarray,
    encoded: np.ndarray,
    encoded_allowed: np.ndarray,
    encoded_angles: np.ndarray,
    seen: Trace,
) -> np.ndarray:
    """Looks at the places before, then at the encoder's output, layer by layer.

    Args:
      allowed: Which target place may look at which [B, 1, T, T].
      encoded_allowed: Which target place may look at which input place [B, 1, T, S].
      encoded_angles: Of the input places: keys are turned here too.
    """
    heads = Heads(config["num_heads"], config["qk_norm"])
    for i in range(config["num_decoder_layers"]):
        layer, at = w.under(f"layers_{i}"), seen.under(f"layers_{i}")
        h = rms_norm(x, layer["pre_self_attention_norm.scale"])
        attended = attention(layer.under("self_attention"), heads, h, h, allowed, angles, angles, at)
        at["self_attention"] = attended
        x = x + attended
        h = rms_norm(x, layer["pre_cross_attention_norm.scale"])
        attended = attention(
            layer.under("encoder_decoder_attention"),
            heads,
            h,
            encoded,
            encoded_allowed,
            angles,
            encoded_angles,
        )
        at["encoder_decoder_attention"] = attended
        x = _mlp(layer, x + attended, at)
    seen["out"] = rms_norm(x, w["decoder_norm.scale"])
    return seen["out"]


def _mlp(layer: Weights, x: np.ndarray, at: Trace) -> np.ndarray:
    h = rms_norm(x, layer["pre_mlp_norm.scale"])
    gated = silu(dense(h, layer.under("mlp.wi_0"))) * dense(h, layer.under("mlp.wi_1"))
    at["mlp"] = dense(gated, layer.under("mlp.wo"))
    at["out"] = x + at["mlp"]
    return at["out"]
