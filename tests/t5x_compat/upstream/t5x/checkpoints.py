"""Saves and restores what is trained, in `checkpoint_<step>/state`, by orbax."""

import dataclasses
import functools
import os
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from flax import traverse_util


@dataclasses.dataclass
class _Place:
    name: str
    mesh_axes: Any


def all_steps(folder):
    """The steps for which a folder has a checkpoint."""
    found = (re.fullmatch(r"checkpoint_(\d+)", name) for name in os.listdir(folder))
    return sorted(int(match[1]) for match in found if match)


def get_local_data(x):
    return x.addressable_data(0) if isinstance(x, jax.Array) and not isinstance(x, jax.core.Tracer) else x


class Manager:
    """Checkpoints of states like the given one, which holds shapes."""

    def __init__(self, directory, train_state, partitioner, restore_dtype=None, keep=None):
        self._state, self._partitioner, self._restore_dtype = train_state, partitioner, restore_dtype
        self._options = ocp.CheckpointManagerOptions(
            max_to_keep=keep, cleanup_tmp_directories=True, step_prefix="checkpoint", create=True
        )
        self._directory = os.path.abspath(directory)

    def _places(self):
        flat = traverse_util.flatten_dict(self._state.state_dict(), keep_empty_nodes=True)
        names = traverse_util.unflatten_dict({path: "/".join(path) for path in flat})
        return jax.tree.map(_Place, names, self._partitioner.get_mesh_axes(self._state).state_dict())

    def save(self, train_state):
        arguments = jax.tree.map(
            lambda place: ocp.SaveArgs(aggregate=place.mesh_axes is None), self._places()
        )
        state = jax.tree.map(
            lambda leaf, how: get_local_data(leaf) if how.aggregate else leaf,
            train_state.state_dict(),
            arguments,
        )
        step = int(get_local_data(train_state.step))
        with self._manager() as manager:
            how = {"state": {"save_args": arguments}}
            assert manager.save(step, {"state": state}, save_kwargs=how, force=True)

    def _manager(self):
        handlers = {"state": ocp.Checkpointer(ocp.PyTreeCheckpointHandler())}
        return ocp.CheckpointManager(self._directory, checkpointers=handlers, options=self._options)

    def restore(self, path):
        """Restores what both the checkpoint and the state have; the state says what is needed."""
        parent, name = os.path.split(os.path.abspath(path))
        step = int(name.removeprefix("checkpoint_"))
        dtype = self._restore_dtype and jnp.dtype(self._restore_dtype)

        def how(place):
            of_target = dtype if place.name.split("/")[0] == "target" else None
            if place.mesh_axes is None:
                return ocp.RestoreArgs(dtype=of_target)
            mesh = self._partitioner.mesh
            return ocp.ArrayRestoreArgs(mesh=mesh, mesh_axes=place.mesh_axes, dtype=of_target)

        places = self._places()
        flat = functools.partial(traverse_util.flatten_dict, sep="/")
        there = flat(ocp.PyTreeCheckpointHandler().metadata(epath.Path(path, "state")).tree)
        wanted = {name: leaf for name, leaf in flat(self._state.state_dict()).items() if name in there}
        arguments = flat(jax.tree.map(how, places))
        nested = functools.partial(traverse_util.unflatten_dict, sep="/")
        chosen = {"restore_args": nested({name: arguments[name] for name in wanted}), "transforms": {}}
        with self._manager() as manager:
            found = manager.restore(
                step,
                {"state": nested(wanted)},
                restore_kwargs={"state": chosen},
                directory=epath.Path(parent),
            )["state"]
        arrays = jax.tree.map(self._on_devices, found, self._places())
        return self._state.restore_state(arrays)

    def _on_devices(self, leaf, place):
        axes = place.mesh_axes or jax.sharding.PartitionSpec(None)
        if np.ndim(leaf) == 0:
            axes = jax.sharding.PartitionSpec()
        target = jax.sharding.NamedSharding(self._partitioner.mesh, axes)
        if isinstance(leaf, jax.Array) and leaf.sharding.is_equivalent_to(target, leaf.ndim):
            return leaf
        leaf = np.asarray(leaf)
        return jax.make_array_from_callback(leaf.shape, target, lambda index: leaf[index])
