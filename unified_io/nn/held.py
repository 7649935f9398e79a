"""Frozen matrices held in fewer bits than they are computed in: what `Dense` asks of them, and where they lie."""

from typing import Any

from jax.typing import DTypeLike
from jaxtyping import Array, Float

from unified_io.pytree import named_leaves, nested

HELD = "held"


class Held:
    """A matrix that takes a kernel's place in a tree of parameters. Never trained: no gradient reaches it."""

    def times(self, x: Float[Array, "N C"], dtype: DTypeLike) -> Float[Array, "N D"]:
        """Returns `x @ kernel`, computed in `dtype`."""
        raise NotImplementedError

    def kernel(self, rows: int) -> Float[Array, "*layers C D"]:
        """Returns the matrix, or one a layer, in float32; it has so many rows."""
        raise NotImplementedError


def is_held(leaf: Any) -> bool:
    """Whether a node of a tree of parameters is a matrix held in few bits."""
    return isinstance(leaf, Held)


def variables(params: Any) -> dict[str, Any]:
    """Returns parameters, some of them held in few bits, as modules take them: these in a collection of their own."""
    apart: dict[str, dict[str, Any]] = {"params": {}, HELD: {}}
    for name, leaf in named_leaves(params, is_leaf=is_held).items():
        apart[HELD if is_held(leaf) else "params"][name] = leaf
    return {name: nested(named) for name, named in apart.items() if named or name == "params"}
