"""Where a run begins: parameters out of folders, and the number of its first step. Knows no task."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from unified_io import checkpoint, pytree
from unified_io.convert import families, folders
from unified_io.model import UnifiedIOConfig, parameter_shapes
from unified_io.train.guard import GuardState
from unified_io.train.state import TrainState

_CHECKPOINT = re.compile(r"checkpoint_(\d+)")


def checkpoints_in(folder: str | Path) -> dict[int, Path]:
    """Returns the checkpoints of a run's folder by step, oldest first."""
    found = {
        number: path for path in Path(folder).glob("checkpoint_*") if (number := step_of(path)) is not None
    }
    return dict(sorted(found.items()))


def step_of(path: str | Path) -> int | None:
    """Returns the step in the name of a checkpoint, `checkpoint_<step>`; None where there is none."""
    match = _CHECKPOINT.fullmatch(Path(path).name)
    return int(match[1]) if match else None


def parameters(model: UnifiedIOConfig, initial: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Reads parameters to start from, by name, onto the host.

    Args:
      model: Whose parameters they are.
      initial: Parameter-name prefix -> folder of parameters; under the empty prefix a whole model of any family, or a
        checkpoint of training of ours or T5X's.

    Raises:
      CheckpointError: A folder holds no parameters, or those of another model.
    """
    shapes = pytree.named_leaves(nn.unbox(parameter_shapes(model)))
    found: dict[str, np.ndarray] = {}
    for prefix, folder in initial.items():
        if not prefix and families.holds_model(folder):
            loaded = folders.load(folder, config=model).params
        else:
            part = {k.removeprefix(prefix): leaf for k, leaf in shapes.items() if k.startswith(prefix)}
            loaded, _ = checkpoint.load_params(folder, pytree.nested(part))
        # What lies on a device of one process can not be put on the devices of others.
        found |= {prefix + name: np.asarray(leaf) for name, leaf in pytree.named_leaves(loaded).items()}
    return found


def whole(model: UnifiedIOConfig, initial: Mapping[str, str], seed: int) -> Any:
    """Returns all parameters that a run begins with, on the host: those read, and the others as they are drawn.

    Args:
      model: Whose parameters they are.
      initial: As `parameters`.
      seed: For those that are drawn.
    """
    given = pytree.nested(parameters(model, initial))
    return jax.tree.map(np.asarray, folders.random_params(model, seed=seed, given=given))


def numbered_from(state: TrainState, step: int) -> TrainState:
    """Returns a fresh state whose first step has this number, for learning rates too.

    Moments still begin at their beginning, and no loss is a spike before as many were seen as after step 0.
    """

    def like(old: jax.Array, value: float) -> jax.Array:
        return jax.device_put(jnp.full(old.shape, value, old.dtype), old.sharding)

    def counted(node: Any) -> Any:
        if isinstance(node, optax.ScaleByScheduleState):
            return node._replace(count=like(node.count, step))
        if not isinstance(node, GuardState):
            return node
        losses = tuple(like(kept, jnp.nan) for kept in node.losses)
        return node.replace(inner=among(node.inner), count=like(node.count, step), losses=losses)

    def among(tree: Any) -> Any:
        known = (optax.ScaleByScheduleState, GuardState)
        return jax.tree.map(counted, tree, is_leaf=lambda node: isinstance(node, known))

    return state.replace(step=like(state.step, step), opt_state=among(state.opt_state))
