"""Weights held in eight bits: a whole number a weight and one scale a column of a matrix. For inference only."""

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int8

from unified_io.pytree import named_leaves, nested

SCALES = "scales"
_LARGEST = 127


@struct.dataclass
class Rounded:
    """A matrix in eight bits: `values * scale`, each value within half a scale of what it was.

    Attributes:
      values: From -127 to 127.
      scale: Of every column.
    """

    values: Int8[Array, "*layers C D"]
    scale: Float[Array, "*layers D"]

    @classmethod
    def of(cls, kernel: Float[Array, "*layers C D"]) -> "Rounded":
        """Rounds a matrix, or one a layer."""
        scale = jnp.max(jnp.abs(kernel), axis=-2).astype(jnp.float32) / _LARGEST
        steps = kernel / jnp.where(scale > 0, scale, 1.0)[..., None, :]
        return cls(jnp.round(steps).astype(jnp.int8), scale)


def rounded(params: Any, which: str) -> Any:
    """Returns parameters with every kernel rounded whose name the pattern `which` is found in."""
    found = re.compile(rf"(?:{which}).*/kernel$")
    return nested(
        {
            name: Rounded.of(leaf) if found.search(name) else leaf
            for name, leaf in named_leaves(params).items()
        }
    )


def variables(params: Any) -> dict[str, Any]:
    """Returns parameters, some of them rounded, as modules take them: scales in a collection of their own."""
    is_rounded: Callable[[Any], bool] = lambda leaf: isinstance(leaf, Rounded)  # noqa: E731
    paths, _ = jax.tree_util.tree_flatten_with_path(params, is_leaf=is_rounded)
    scales = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf.scale
        for path, leaf in paths
        if is_rounded(leaf)
    }
    values = jax.tree.map(lambda leaf: leaf.values if is_rounded(leaf) else leaf, params, is_leaf=is_rounded)
    return {"params": values, SCALES: nested(scales)} if scales else {"params": values}
