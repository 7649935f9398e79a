"""Attention with several heads, as the stacks and the resamplers use it."""

import dataclasses

import numpy as np

from reference.layers import dense, rms_norm, softmax, unit
from reference.rotary import turn
from reference.weights import Trace, Weights

MASKED = -1e10
LARGEST_LOGIT_SCALE = np.log(100.0)


@dataclasses.dataclass(frozen=True)
class Heads:
    """How many heads, and what becomes of queries and keys before they meet."""

    number: int
    qk_norm: bool = False
    scaled_cosine: bool = False


def split(x: np.ndarray, heads: int) -> np.ndarray:
    """[B, L, heads * size] -> [B, heads, L, size]."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def merge(x: np.ndarray) -> np.ndarray:
    """The inverse of `split`."""
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], -1)


def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Averages v by the softmax of q k^T; pairs that are not allowed have MASKED added.

    A query that may look nowhere gets an average over everything, which means nothing.
    """
    logits = q @ k.swapaxes(-1, -2)
    return softmax(logits + np.where(allowed, 0.0, MASKED).astype(logits.dtype)) @ v


def attention(
    w: Weights,
    heads: Heads,
    x: np.ndarray,
    context: np.ndarray,
    allowed: np.ndarray,
    angles: np.ndarray | None = None,
    context_angles: np.ndarray | None = None,
    seen: Trace | None = None,
) -> np.ndarray:
    """Queries from x, keys and values from the context.

    Args:
      w: query, key, value, out; query_norm and key_norm, or logit_scale, where `heads` says so.
      allowed: Which query may look at which key, bool, broadcast to [B, heads, Q, K].
      angles: Of the queries' places [B, Q, head_dim / 2].
      context_angles: Of the keys' places.
      seen: Gets query, query_norm, key_norm ([B, L, heads, size]), and what a cache keeps: key, value.
    """
    seen = seen or Trace()
    seen["query"] = dense(x, w.under("query"))
    q = split(seen["query"], heads.number)
    k = split(dense(context, w.under("key")), heads.number)
    v = split(dense(context, w.under("value")), heads.number)
    if heads.qk_norm:
        q, k = rms_norm(q, w["query_norm.scale"]), rms_norm(k, w["key_norm.scale"])
    seen["query_norm"], seen["key_norm"] = q.swapaxes(1, 2), k.swapaxes(1, 2)
    if angles is not None:
        q, k = turn(q, angles), turn(k, context_angles)
    seen["key"], seen["value"] = k, v
    if heads.scaled_cosine:
        scale = np.exp(np.minimum(w["logit_scale"], LARGEST_LOGIT_SCALE)).astype(q.dtype)
        q, k = unit(q) * scale[:, None, None], unit(k)
    else:
        q = q / np.sqrt(q.shape[-1]).astype(q.dtype)
    return dense(merge(attend(q, k, v, allowed)), w.under("out"))
