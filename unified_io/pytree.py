"""Names for the leaves of a pytree: `encoder/layers/attention/q` and back. Knows no model."""

from collections.abc import Callable, Mapping
from typing import Any

import jax


def named_leaves(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> dict[str, Any]:
    """Returns the leaves by name, in tree order; a name is the path with `/` between its keys.

    Args:
      tree: Any.
      is_leaf: Says which nodes are leaves, besides those that are.
    """
    paths, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_leaf)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}


def map_named(function: Callable[[str, Any], Any], tree: Any) -> Any:
    """Returns the tree with every leaf replaced by `function(name, leaf)`."""
    leaves = [function(name, leaf) for name, leaf in named_leaves(tree).items()]
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)


def from_named(named: Mapping[str, Any], like: Any) -> Any:
    """Returns a tree of the structure of `like` with its leaves taken from `named`; the inverse of `named_leaves`."""
    return map_named(lambda name, _: named[name], like)


def nested(named: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested dicts, one level a part of the name: `{"a/b": 1}` becomes `{"a": {"b": 1}}`."""
    root: dict[str, Any] = {}
    for name, leaf in named.items():
        *parents, last = name.split("/")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return root


def together(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Puts nested dicts without common leaves together: `{"a": {"b": 1}}` and `{"a": {"c": 2}}` become one."""
    both = {name: together(one[name], other[name]) for name in one.keys() & other.keys()}
    return {**one, **other, **both}


def abstract(tree: Any) -> Any:
    """Returns the tree with every array replaced by its shape, dtype and, where it has one, sharding."""

    def shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None))

    return jax.tree.map(shape_of, tree)
