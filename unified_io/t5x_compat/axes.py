"""Logical axis names as T5X wants them: beside the parameters, in a tree of their own. Knows no model."""

from typing import Any

import flax.core
import flax.linen as nn
import jax
from flax.linen.partitioning import AxisMetadata

from unified_io import pytree
from unified_io.train import mesh

# Logical names that T5X's `standard_logical_axis_rules` has a rule for.
STANDARD = (
    *("batch", "vocab", "embed", "mlp", "heads", "kv", "joined_kv", "length", "layers", "stack"),
    *("relpos_buckets", "abspos_buckets", "mlp_activations"),
)
# T5X's mesh has these axes only.
_MESH_AXES = ("data", "model")


def variables(boxed: Any) -> flax.core.FrozenDict:
    """Returns the collections `params` and `params_axes` of boxed parameters.

    Args:
      boxed: Parameters, each in the box of `nn.with_logical_partitioning`; one without a box has nameless axes.

    Returns:
      `params` without boxes, and a tree of the same keys with `_axes` behind the last, one name a dimension.
    """
    named = named_boxes(boxed)
    params = pytree.nested({name: value(leaf) for name, leaf in named.items()})
    axes = pytree.nested({f"{name}_axes": AxisMetadata(names=names(leaf)) for name, leaf in named.items()})
    return flax.core.freeze({"params": params, "params_axes": axes})


def additional_rules() -> tuple[tuple[str, str | None], ...]:
    """Returns our rules for the logical names T5X does not know, for `standard_logical_axis_rules`."""
    return tuple(
        (name, axes if axes in _MESH_AXES else None) for name, axes in mesh.RULES if name not in STANDARD
    )


def named_boxes(boxed: Any) -> dict[str, Any]:
    """Returns the parameters by name, in tree order, with their boxes."""
    paths, _ = jax.tree_util.tree_flatten_with_path(boxed, is_leaf=_is_box)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}


def names(leaf: Any) -> tuple[str | None, ...]:
    """Returns the logical name of every axis of a parameter, None where it has none."""
    return tuple(leaf.names) if _is_box(leaf) else (None,) * len(leaf.shape)


def value(leaf: Any) -> Any:
    """Returns a parameter without its box."""
    return leaf.value if _is_box(leaf) else leaf


def _is_box(leaf: Any) -> bool:
    return isinstance(leaf, nn.LogicallyPartitioned)
