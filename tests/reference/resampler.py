"""The perceiver resampler: a few learned vectors that look at many, or at each other."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference.attention import Heads, attention
from reference.layers import dense, rms_norm
from reference.weights import Trace, Weights


def resampler(
    w: Weights,
    config: Mapping[str, Any],
    features: np.ndarray,
    mask: np.ndarray,
    activation: Callable[[np.ndarray], np.ndarray],
    seen: Trace | None = None,
) -> np.ndarray:
    """Features [B, P, R] with a mask [B, P] to latents [B, latents, R]."""
    seen = seen or Trace()
    w = w.under("perceiver")
    context = rms_norm(features, w["context_norm.scale"])
    z = np.broadcast_to(w["latents"], (len(features), *w["latents"].shape))
    crossing, own = (
        Heads(config["num_heads"], config[f"{kind}_qk_norm"], config[f"{kind}_scaled_cosine"])
        for kind in ("xattn", "attn")
    )
    seen["context_norm"] = context
    for i in range(config["num_layers"]):
        layer = w.under(f"layers_{i}")
        name = "xattention" if i in config["xattention_index"] else "attention"
        h = rms_norm(z, layer[f"pre_{name}_norm.scale"])
        if name == "xattention":
            attended = attention(layer.under(name), crossing, h, context, mask[:, None, None, :])
        else:
            attended = attention(layer.under(name), own, h, h, np.True_)
        z = z + attended
        inner = activation(dense(rms_norm(z, layer["pre_mlp_norm.scale"]), layer.under("mlp.wi")))
        mlp = dense(inner, layer.under("mlp.wo"))
        z = z + mlp
        for part, value in {name: attended, "mlp": mlp}.items():
            seen[f"layers_{i}_{part}_out"] = value
        seen[f"layers_{i}_out"] = z
    seen["latents"] = rms_norm(z, w["perceiver_norm.scale"])
    return seen["latents"]
