"""The two media encoders: the image ViT and the audio spectrogram transformer (AST).

Both return what the last block gave and what the block with index 1 gave, without their extra tokens.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference.attention import attend, merge, split
from reference.layers import dense, gelu, gelu_tanh, layer_norm
from reference.weights import Trace, Weights

SECOND = 1
CUBIC = -0.5


def cubic(distance: np.ndarray) -> np.ndarray:
    """The kernel of Keys: 1 at 0, 0 at every other whole number, nothing from 2 on."""
    x = np.abs(distance)
    near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
    far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def resize_weights(size: int, new_size: int, dtype: np.dtype) -> np.ndarray:
    """How much of every old place is in every new one [new_size, size].

    Places have their middles at halves. Where the new grid is coarser the kernel widens with it; what would lie
    outside is left out, and what remains sums to 1.
    """
    step = size / new_size
    middle = (np.arange(new_size, dtype=dtype) + 0.5) * step - 0.5
    weights = cubic((middle[:, None] - np.arange(size, dtype=dtype)) / max(step, 1.0))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(dtype)


def resize_table(table: np.ndarray, grid: tuple[int, int], new_grid: tuple[int, int]) -> np.ndarray:
    """A table [rows * columns, width] of one grid for another."""
    if tuple(grid) == tuple(new_grid):
        return table
    image = table.reshape(*grid, -1)
    down, across = (resize_weights(old, new, table.dtype) for old, new in zip(grid, new_grid, strict=True))
    return np.einsum("ra,cb,abd->rcd", down, across, image).reshape(-1, table.shape[-1])


def table_grid(config: Mapping[str, Any]) -> tuple[int, int]:
    """Rows and columns of the ViT's own position table, which has one more row for the class token."""
    side = round((config["num_pos"] - 1) ** 0.5)
    return side, side


def image_vit(
    w: Weights,
    config: Mapping[str, Any],
    patches: np.ndarray,
    mask: np.ndarray,
    positions: np.ndarray,
    grid: tuple[int, int],
    seen: Trace | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Patches [B, P, C] of an image of `grid` patches, each at its place in it (row by row)."""
    seen = seen or Trace()
    w = w.under("vision_transformer")
    table = w["positional_embedding"]
    seen["pos_grid"] = resize_table(table[1:], table_grid(config), grid)
    seen["patch_embedding"] = dense(patches.astype(w.dtype), w.under("embedding"))
    x = seen["patch_embedding"] + seen["pos_grid"][positions]
    x = _prepend((w["class_embedding"] + table[0])[None], x)
    seen["pre_ln"] = layer_norm(x, w.under("pre_ln"), 1e-5)
    return _blocks(w, config, seen["pre_ln"], mask, 1, 1e-5, gelu, seen)


def audio_vit(
    w: Weights,
    config: Mapping[str, Any],
    patches: np.ndarray,
    mask: np.ndarray,
    positions: np.ndarray,
    seen: Trace | None = None,
    transpose: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Patches [B, P, C] of a spectrogram, each at its place in it (time by time).

    The table was learned mel band by mel band: unless `transpose` is off, places are renumbered.
    """
    seen = seen or Trace()
    w = w.under("vision_transformer")
    time, mel = (side // config["patch_size"] for side in config["default_input_size"])
    rows = positions % mel * time + positions // mel if transpose else positions
    seen["pos_ids_transposed"] = rows
    table = w["positional_embedding"]
    seen["patch_embedding"] = dense(patches.astype(w.dtype), w.under("embedding"))
    x = seen["patch_embedding"] + table[2 + rows]
    x = _prepend(np.stack([w["cls_token"] + table[0], w["dist_token"] + table[1]]), x)
    return _blocks(w, config, x, mask, 2, 1e-6, gelu_tanh, seen)


def _prepend(tokens: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.concatenate([np.broadcast_to(tokens, (len(x), *tokens.shape)), x], axis=1)


def _blocks(
    w: Weights,
    config: Mapping[str, Any],
    x: np.ndarray,
    mask: np.ndarray,
    extra: int,
    epsilon: float,
    activation: Callable[[np.ndarray], np.ndarray],
    seen: Trace,
) -> tuple[np.ndarray, np.ndarray]:
    allowed = np.pad(mask, ((0, 0), (extra, 0)), constant_values=True)[:, None, None, :]
    second = x
    for i in range(config["num_layers"]):
        block = w.under(f"transformer.resblocks.{i}")
        h = layer_norm(x, block.under("ln_1"), epsilon)
        attended = _attention(block.under("attn"), config["num_heads"], h, allowed)
        x = x + attended
        inner = activation(dense(layer_norm(x, block.under("ln_2"), epsilon), block.under("mlp.fc1")))
        mlp = dense(inner, block.under("mlp.fc2"))
        x = x + mlp
        for name, value in {"ln_1": h, "attn_out": attended, "mlp_out": mlp, "out": x}.items():
            seen[f"block{i}_{name}"] = value
        second = x if i == SECOND else second
    return x[:, extra:], second[:, extra:]


def _attention(w: Weights, heads: int, x: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    q, k, v = (
        split(x @ w[f"{name}_in_proj_weight"].T + w[f"{name}_in_proj_bias"], heads)
        for name in ("query", "key", "value")
    )
    q = q / np.sqrt(q.shape[-1]).astype(q.dtype)
    return dense(merge(attend(q, k, v, allowed)), w.under("out_proj"))
