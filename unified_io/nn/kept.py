"""Keys and values of earlier tokens as decoding keeps them, and the attention of one token to them.

A step reads them whole and computes little with them, so they lie as a product of a vector and a matrix reads them
fastest: rows and heads joined in front, the tokens of keys last. In another shape XLA copies all of them every step.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from unified_io.nn import masks

KV = dict[str, Float[Array, "B _ G K"]]
"""Keys "k" and values "v" of some tokens, as they are computed."""

Kept = dict[str, Float[Array, "BG _ _"]]
"""The same as they are kept: "k" [B * G, K, tokens] and "v" [B * G, tokens, K]."""

Cache = dict[str, list[Kept]]
"""For each layer what it keeps: of the prompt "cross", of the tokens decoded after it "self"."""

Seen = tuple[Kept, Float[Array, "#B #H 1 L"]]
"""What is kept, and what is added to the logits of a token that looks there: 0, or `masks.MASKED_LOGIT`, or a bias."""

_TOKENS = {"k": -1, "v": -2}


def keep(kv: KV) -> Kept:
    """Lays keys and values of some tokens out as they are kept."""
    k, v = kv["k"].transpose(0, 2, 3, 1), kv["v"].transpose(0, 2, 1, 3)
    return {"k": k.reshape(-1, *k.shape[2:]), "v": v.reshape(-1, *v.shape[2:])}


def empty(like: Kept, length: int) -> Kept:
    """Room for `length` tokens, with the rows, heads and sizes of what is kept already."""
    return {name: jnp.zeros(_with_tokens(x, name, length), x.dtype) for name, x in like.items()}


def room(kept: Kept) -> int:
    """For how many tokens there is room."""
    return kept["k"].shape[_TOKENS["k"]]


def write(kept: Kept, new: KV, index: Int[Array, ""]) -> Kept:
    """Returns what is kept with the tokens from `index` on replaced by new ones."""
    put = jax.lax.dynamic_update_slice_in_dim
    return {name: put(kept[name], x, index, axis=_TOKENS[name]) for name, x in keep(new).items()}


def lengthen(kept: Kept, length: int) -> Kept:
    """Returns what is kept with room for `length` tokens in all; it is never shortened."""
    more = max(0, length - room(kept))
    zeros = {name: jnp.zeros(_with_tokens(x, name, more), x.dtype) for name, x in kept.items()}
    return {name: jnp.concatenate([x, zeros[name]], axis=_TOKENS[name]) for name, x in kept.items()}


def rows(kept: Kept, chosen: Int[Array, " n"], count: int) -> Kept:
    """Returns what is kept of some of `count` rows: row i is row `chosen[i]`."""
    return {
        name: jnp.take(x.reshape(count, -1, *x.shape[1:]), chosen, axis=0, mode="clip").reshape(
            -1, *x.shape[1:]
        )
        for name, x in kept.items()
    }


def at(kept: Kept, places: Int[Array, " n"]) -> Kept:
    """Returns what is kept of some tokens only."""
    return {name: jnp.take(x, places, axis=_TOKENS[name]) for name, x in kept.items()}


def seen(kept: Kept, mask: Bool[Array, "#B #H 1 L"], bias: Float[Array, "#B #H 1 L"] | None = None) -> Seen:
    """What is kept, for a token that may look where `mask` is True."""
    added = masks.to_bias(mask)
    return kept, added if bias is None else added + bias


def attend(
    q: Float[Array, "B 1 H K"], parts: Sequence[Seen], scale: float | None = None
) -> Float[Array, "B 1 H K"]:
    """Returns for one token a row what `attention.attend` gives for all at once.

    Args:
      parts: What is kept, in parts that need not be copied into one.
      scale: 1 / sqrt(K) unless told.
    """
    batch, _, heads, size = q.shape
    q = q * jnp.asarray(size**-0.5 if scale is None else scale, q.dtype)
    groups = len(parts[0][0]["k"]) // batch
    q = q.reshape(batch * groups, heads // groups, size)  # queries that share a head of keys side by side
    wide = np.promote_types(q.dtype, np.float32)

    def logits(kept: Kept, added: Array) -> Array:
        products = jnp.einsum("bsk,bkl->bsl", q, kept["k"], preferred_element_type=wide)
        return products.reshape(batch, groups, *products.shape[1:]) + added

    weights = jax.nn.softmax(jnp.concatenate([logits(*part) for part in parts], axis=-1), axis=-1)
    weights = weights.astype(q.dtype).reshape(*q.shape[:2], -1)
    ends = np.cumsum([room(kept) for kept, _ in parts])
    shares = jnp.split(weights, ends[:-1], axis=-1)
    averages = [
        jnp.einsum("bsl,blk->bsk", share, kept["v"]) for share, (kept, _) in zip(shares, parts, strict=True)
    ]
    return sum(averages[1:], averages[0]).reshape(batch, 1, heads, size)


def _with_tokens(x: Array, name: str, length: int) -> tuple[int, ...]:
    shape = list(x.shape)
    shape[_TOKENS[name]] = length
    return tuple(shape)
