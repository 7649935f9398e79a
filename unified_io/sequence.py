"""Rows of tokens: laid out from banks by the packing plan, and collected back.

Knows neither modalities nor the network: one gather each way. Every bank place stands in at most one row position,
so the gradient of a gather is the gather by the inverse plan; a scatter is never needed.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@jax.custom_vjp
def gather(
    source: Float[Array, "G N D"], index: Int[Array, "G M"], inverse: Int[Array, "G N"]
) -> Float[Array, "G M D"]:
    """Gathers `source[g, index[g, m]]`; an index past the end gives zeros.

    Args:
      source: Vectors to choose from.
      index: For every output place, where it comes from; N is padding. No value but N occurs twice.
      inverse: For every source place, where it went; M where nobody took it. The inverse of `index`.
    """
    del inverse
    return jax.vmap(lambda rows, i: rows.at[i].get(mode="fill", fill_value=0))(source, index)


def _gather_forward(source, index, inverse):
    return gather(source, index, inverse), (index, inverse)


def _gather_backward(residuals, gradient):
    index, inverse = residuals
    return gather(gradient, inverse, index), None, None


gather.defvjp(_gather_forward, _gather_backward)


def invert(index: Int[Array, "G M"], size: int) -> Int[Array, "G size"]:
    """Inverts a partial index: where in M each of `size` places went, M if nowhere.

    invert([[2, 0, 3]], 3) = [[1, 3, 0]]     (3 is padding on both sides)
    """
    places = jnp.broadcast_to(jnp.arange(index.shape[1], dtype=index.dtype), index.shape)
    blank = jnp.full((index.shape[0], size), index.shape[1], index.dtype)
    return jax.vmap(lambda row, i, p: row.at[i].set(p, mode="drop"))(blank, index, places)


def flatten_groups(x: Array) -> Array:
    """[G, R, ...] -> [G * R, ...]; undone by `split_groups`."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def split_groups(x: Array, groups: int) -> Array:
    """[G * R, ...] -> [G, R, ...]; the inverse of `flatten_groups`."""
    return x.reshape(groups, x.shape[0] // groups, *x.shape[1:])
