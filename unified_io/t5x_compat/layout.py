"""A state of training as our checkpoints and as T5X's lay it out: the same arrays under other names.

ours   step        params/…   opt_state/…
T5X's  state/step  target/…   state/param_states/…
"""

from collections.abc import Mapping
from typing import Any

import flax.traverse_util

from unified_io import pytree
from unified_io.errors import CheckpointError, ConfigError
from unified_io.train.state import TrainState

_RENAMED = {"params": "target", "opt_state": "state/param_states"}


def to_t5x(state: TrainState) -> dict[str, Any]:
    """Returns a state as T5X's nested dicts; saved as `checkpoint_<step>/state`, T5X goes on from it.

    Raises:
      ConfigError: The state has parts that T5X has no place for.
    """
    if named := pytree.named_leaves(state.extra):
        raise ConfigError(
            f"T5X has no place for {next(iter(named))} of the state; save a state of the model alone"
        )
    return pytree.nested({_theirs(name): leaf for name, leaf in pytree.named_leaves(state).items()})


def from_t5x(tree: Mapping[str, Any], like: TrainState) -> TrainState:
    """Returns T5X's nested dicts as a state; the inverse of `to_t5x`.

    Args:
      tree: What a T5X checkpoint holds.
      like: A state of the same model and optimizer, as arrays or shapes.

    Raises:
      CheckpointError: Something that `like` has is missing.
    """
    found = flax.traverse_util.flatten_dict(dict(tree), sep="/")
    wanted = {name: _theirs(name) for name in pytree.named_leaves(like)}
    if missing := sorted(theirs for theirs in wanted.values() if theirs not in found):
        raise CheckpointError(
            f"the T5X state has no {missing[0]} ({len(missing)} are missing); it is of another model or optimizer"
        )
    return pytree.from_named({name: found[theirs] for name, theirs in wanted.items()}, like)


def _theirs(name: str) -> str:
    top, _, rest = name.partition("/")
    return f"{_RENAMED[top]}/{rest}" if top in _RENAMED else f"state/{name}"
