"""Our nested batch as T5X's flat one, and back: one array a name, the first axis is that of the batch.

A group of rows with its banks is what T5X calls an example: it stacks groups and splits them over devices.
Knows names only.
"""

from collections.abc import Mapping
from typing import Any

from unified_io import pytree

# Feature of ours -> of the released Unified-IO 2 batches, where these have it. {} is the name of the modality.
_RELEASED = {
    "inputs": {"patches": "input", "positions": "pos_ids"},
    "targets": {"tokens": "targets", "positions": "pos_ids", "pixels": "{}", "weights": "loss_mask"},
}


def flatten(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arrays of a batch by their flat names; `unflatten` undoes it.

    {"inputs": {"image": {"patches": x}}}   ->  {"inputs/image/input": x}
    {"targets": {"image": {"pixels": y}}}   ->  {"targets/image/image": y}
    {"encoder": {"slots": z}}               ->  {"encoder/slots": z}
    """
    return {_to_released(name): leaf for name, leaf in pytree.named_leaves(batch).items()}


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the nested batch the model takes; the inverse of `flatten`."""
    return pytree.nested({_to_ours(name): leaf for name, leaf in flat.items()})


def _to_released(name: str) -> str:
    side, modality, feature = _parts(name)
    released = _RELEASED.get(side, {}).get(feature)
    return f"{side}/{modality}/{released.format(modality)}" if released else name


def _to_ours(name: str) -> str:
    side, modality, feature = _parts(name)
    ours = {released.format(modality): ours for ours, released in _RELEASED.get(side, {}).items()}
    return f"{side}/{modality}/{ours[feature]}" if feature in ours else name


def _parts(name: str) -> tuple[str, str, str]:
    side, _, rest = name.partition("/")
    modality, _, feature = rest.partition("/")
    return side, modality, feature
