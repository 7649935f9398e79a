"""Who may look at whom: boolean patterns, True = allowed, queries before keys. They combine with `&` and `|`.

A mask for attention has axes `[B, 1, Q, K]`: the 1 stands for all heads. Patterns of a grid take indices of
tokens (row-major, counted within their own image or sound), so they hold anywhere in a packed row, and for one
decoding step. In the drawings `x` is allowed, `.` is not; a line is a query, a column is a key.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

MASKED_LOGIT = -1e10
PATTERNS = ("row", "column", "convolution")


def to_bias(mask: Bool[Array, "*B"]) -> Float[Array, "*B"]:
    """0 where allowed and -1e10 elsewhere, to be added to logits of float32 or wider.

    A query without any key gets the plain average of all values, never NaN; such rows mean nothing.
    """
    return jnp.where(mask, jnp.float32(0.0), jnp.float32(MASKED_LOGIT))


def padding(query_mask: Bool[Array, "*B Q"], key_mask: Bool[Array, "*B K"]) -> Bool[Array, "*B 1 Q K"]:
    """Real tokens look at real tokens.

    queries 1 1 0, keys 1 0 1:
        x . x
        x . x
        . . .
    """
    return query_mask[..., None, :, None] & key_mask[..., None, None, :]


def segments(query_ids: Int[Array, "*B Q"], key_ids: Int[Array, "*B K"]) -> Bool[Array, "*B 1 Q K"]:
    """Equal segment ids look at each other; 0 is padding.

    Self-attention takes the same ids twice; cross-attention those of the decoder and of the encoder.

    queries 1 2 0, keys 1 1 2 0:
        x x . .
        . . x .
        . . . .
    """
    queries, keys = query_ids[..., None, :, None], key_ids[..., None, None, :]
    return (queries == keys) & (queries > 0)


def causal(length: int) -> Bool[Array, "L L"]:
    """A token looks at itself and at what came before.

    length 3:
        x . .
        x x .
        x x x
    """
    return jnp.tril(jnp.ones((length, length), bool))


def _offset(query: Int[Array, "*B Q"], key: Int[Array, "*B K"]) -> Int[Array, "*B Q K"]:
    return query[..., :, None] - key[..., None, :]


def row(query: Int[Array, "*B Q"], key: Int[Array, "*B K"], width: int) -> Bool[Array, "*B Q K"]:
    """The `width` tokens before, up to the one just above, and itself.

    indices 0..5 of a grid of width 2:
        x . . . . .
        x x . . . .
        x x x . . .
        . x x x . .
        . . x x x .
        . . . x x x
    """
    offset = _offset(query, key)
    return (offset >= 0) & (offset <= width)


def column(query: Int[Array, "*B Q"], key: Int[Array, "*B K"], width: int) -> Bool[Array, "*B Q K"]:
    """The tokens above in the same column, and itself.

    indices 0..5 of a grid of width 2:
        x . . . . .
        . x . . . .
        x . x . . .
        . x . x . .
        x . x . x .
        . x . x . x
    """
    offset = _offset(query, key)
    return (offset >= 0) & (offset % width == 0)


def convolution(
    query: Int[Array, "*B Q"], key: Int[Array, "*B K"], width: int, size: int = 11
) -> Bool[Array, "*B Q K"]:
    """What came before within a window of size x size around the query, and itself.

    indices 0..5 of a grid of width 2, size 3:
        x . . . . .
        x x . . . .
        x x x . . .
        x x x x . .
        . . x x x .
        . . x x x x
    """
    reach = size // 2
    near_row = jnp.abs(_offset(query // width, key // width)) <= reach
    near_column = jnp.abs(_offset(query % width, key % width)) <= reach
    return (_offset(query, key) >= 0) & near_row & near_column


def sparse(query: Int[Array, "*B Q"], key: Int[Array, "*B K"], width: int) -> Bool[Array, "patterns *B Q K"]:
    """The patterns of a grid in the order of `PATTERNS`; `decoder_pattern` tells which layer takes which."""
    return jnp.stack([row(query, key, width), column(query, key, width), convolution(query, key, width)])


class Keys(NamedTuple):
    """The few earlier tokens that a decoding step looks at beside itself, a line a pattern.

    Attributes:
      places: Which tokens; where `allowed` is False any.
      allowed: Which of them are there.
    """

    places: Int[Array, "patterns n"]
    allowed: Bool[Array, "patterns n"]


def sparse_keys(index: Int[Array, ""], width: int, length: int, size: int = 11) -> Keys:
    """What `sparse` allows the token at `index` beside itself, as places: of 1024 tokens of a 32 x 32 grid at most 60.

    Args:
      index: The token, row-major.
      width: Columns of the grid.
      length: Tokens of the grid.
      size: Side of the convolution's window.
    """
    reach = size // 2
    above, beside = np.meshgrid(np.arange(reach + 1), np.arange(-reach, reach + 1), indexing="ij")
    earlier = (above > 0) | (beside < 0)
    above, beside = above[earlier], beside[earlier]
    offsets = (np.arange(1, width + 1), np.arange(width, length, width), above * width - beside)
    most = max(map(len, offsets))
    padded = np.stack([np.pad(o, (0, most - len(o)), constant_values=length) for o in offsets])
    places = index - padded
    # Only the window can reach past an edge of the grid: by how many columns each of its places is off.
    sideways = np.zeros_like(padded)
    sideways[PATTERNS.index("convolution"), : len(beside)] = beside
    column = index % width + sideways
    allowed = (places >= 0) & (column >= 0) & (column < width)
    return Keys(jnp.clip(places, 0, length - 1), allowed)


def decoder_pattern(layer: int, num_layers: int) -> int:
    """Index into `PATTERNS` for a decoder layer: the last takes convolution; 1, 5, 9… column; the others row.

    6 layers: row column row row row convolution
    """
    if layer == num_layers - 1:
        return PATTERNS.index("convolution")
    return PATTERNS.index("column" if layer % 4 == 1 else "row")


def decoder_patterns(num_layers: int) -> Int[np.ndarray, "N"]:
    """`decoder_pattern` of every layer."""
    return np.array([decoder_pattern(layer, num_layers) for layer in range(num_layers)], np.int32)


def shown(hidden: Bool[Array, "*B L"]) -> Bool[Array, "*B L"]:
    """Whether the encoder was shown the token that each decoder input holds; input k holds token k - 1.

    hidden 0 1 0 0  ->  1 1 0 1
    """
    return jnp.concatenate([jnp.ones_like(hidden[..., :1]), ~hidden[..., :-1]], axis=-1)


def revealed(shown: Bool[Array, "*B L"]) -> Bool[Array, "*B L L"]:
    """Inputs that were shown look at each other; one that was not looks only at itself, and nobody else at it.

    shown 1 1 0 1:
        x x . x
        x x . x
        . . x .
        x x . x
    """
    return (shown[..., :, None] & shown[..., None, :]) | jnp.eye(shown.shape[-1], dtype=bool)


def denoising(hidden: Bool[Array, "*B L"]) -> Bool[Array, "*B L L"]:
    """Keeps what the encoder could not see away from the decoder's input (dynamic masking).

    `hidden` is True for a token whose patch was hidden from the encoder. Input k holds token k - 1, so an
    input that holds a hidden token sees only itself and nobody else sees it. To be joined to a causal pattern.

    hidden 0 1 0 0 (input 2 holds the hidden token 1):
        x x . x
        x x . x
        . . x .
        x x . x

    Source: Unified-IO 2, section 3.3 (dynamic masking); released checkpoints ran without it.
    """
    return revealed(shown(hidden))
