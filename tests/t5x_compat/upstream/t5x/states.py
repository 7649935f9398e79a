"""A state that starts, from a drawing of the model or from a checkpoint."""

import os

import jax
import numpy as np
from flax import traverse_util

from . import checkpoints, train_state


class TrainStateInitializer:
    """Draws a state, and knows its shapes and where its arrays lie."""

    def __init__(self, optimizer_def, init_fn, input_shapes, partitioner, input_types=None):
        def initialize(rng):
            variables = init_fn(rng=rng, input_shapes=input_shapes, input_types=input_types)
            if optimizer_def:
                return train_state.FlaxOptimTrainState.create(optimizer_def, variables)
            return train_state.InferenceState.create(variables)

        self._initialize, self._partitioner = initialize, partitioner
        self.global_train_state_shape = jax.eval_shape(initialize, rng=jax.random.PRNGKey(0))
        self.train_state_axes = partitioner.get_mesh_axes(self.global_train_state_shape)
        model = init_fn.__self__
        assert not (hasattr(model, "module") and getattr(model.module, "scan_layers", False))

    def from_scratch(self, rng):
        initialize = self._partitioner.partition(self._initialize, None, self.train_state_axes)
        return initialize(rng)


def log_model_info(log_file, state, partitioner):
    """Writes a line a variable."""
    arrays = state.state_dict()
    total = jax.tree.reduce(np.add, jax.tree.map(np.size, arrays["target"]))
    logical = partitioner.get_logical_axes(state).state_dict()
    places = jax.tree.map(tuple, partitioner.get_mesh_axes(state).state_dict())
    lines = []

    def line(name, leaf, names, place):
        named = leaf.shape if names is None else [f"{a}={n}" for a, n in zip(names, leaf.shape, strict=True)]
        lines.append(f"Variable {name} size {leaf.size} shape {named} partition spec {place}")

    for part in ("target", "state"):
        flat = traverse_util.flatten_dict(arrays[part], keep_empty_nodes=True)
        names = traverse_util.unflatten_dict({path: "/".join(path) for path in flat})
        jax.tree.map(line, names, arrays[part], logical[part], places[part])
    with open(log_file, "w") as file:
        file.write("\n".join([*lines, f"Total number of parameters: {total}", ""]))


def restored(initializer, partitioner, cfg):
    """A state from the checkpoint of a configuration; None where it names none."""
    paths = [cfg.path] if isinstance(cfg.path, str) else list(cfg.path)
    if cfg.mode == "latest":
        paths = [os.path.join(p, f"checkpoint_{step}") for p in paths for step in checkpoints.all_steps(p)]
    if not paths:
        return None
    # For that it opens a manager in the checkpoint itself.
    manager = checkpoints.Manager(
        paths[-1], initializer.global_train_state_shape, partitioner, restore_dtype=cfg.dtype
    )
    return manager.restore(paths[-1])
