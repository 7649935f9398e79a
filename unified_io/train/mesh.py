"""Devices as a mesh of (data, model), and where every array lies on it. Knows logical axis names, no model."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from unified_io import errors, pytree

# Logical axis -> mesh axis; None is replicated. Source: the released Unified-IO 2 rules (facts on logical axes).
RULES: tuple[tuple[str, str | None], ...] = (
    ("batch", "data"),
    ("vocab", "model"),
    ("mlp", "model"),
    ("heads", "model"),
    ("joined_kv", "model"),
    ("image_patch", "model"),
    *((name, None) for name in ("embed", "kv", "length", "layers", "stack", "mlp_activations")),
    *((name, None) for name in ("relpos_buckets", "abspos_buckets", "modality_embedding")),
    *((name, None) for name in ("axis_0", "axis_1", "axis_2", "axis_3")),
)


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """How many devices share a batch and how many share a layer.

    Attributes:
      data: Devices over which the groups of a batch are split; -1 takes all devices there are.
      model: Devices over which a layer's parameters are split.
    """

    data: int = -1
    model: int = 1


def make_mesh(config: MeshConfig = MeshConfig(), devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Returns the mesh with axes `data` and `model` over the first devices; one device is a mesh too.

    Raises:
      ConfigError: If there are too few devices, or `model` does not divide all of them.
    """
    devices = jax.devices() if devices is None else list(devices)
    data = len(devices) // max(config.model, 1) if config.data == -1 else config.data
    size = data * config.model
    if config.model < 1 or data < 1 or size > len(devices) or (config.data == -1 and size < len(devices)):
        raise errors.ConfigError(
            f"mesh data={config.data}, model={config.model} does not fit {len(devices)} devices; "
            f"choose a model that divides {len(devices)}, and data=-1 for the rest"
        )
    shape, names = (data, config.model), ("data", "model")
    return jax.make_mesh(shape, names, axis_types=(AxisType.Auto,) * 2, devices=devices[:size])


@contextlib.contextmanager
def use(mesh: Mesh) -> Iterator[Mesh]:
    """Within this context, logical constraints in a traced function are constraints on this mesh."""
    with jax.set_mesh(mesh), nn.logical_axis_rules(RULES):
        yield mesh


def shardings(boxed: Any, mesh: Mesh) -> Any:
    """Returns where every array of an abstract tree lies on the mesh, as an unboxed tree of shardings.

    Args:
      boxed: Shapes, boxed by `nn.with_logical_partitioning`. A leaf without a box is replicated, and so is one
        whose box names another number of axes than it has (the row statistics of a factored second moment).
      mesh: The mesh.

    Raises:
      ConfigError: For an unknown logical axis, or an axis that its mesh axis does not divide.
    """
    rules = dict(RULES)

    def place(leaf: Any) -> Any:
        names, value = (leaf.names, leaf.value) if _is_box(leaf) else ((), leaf)
        if not jax.tree.leaves(value):
            return value  # the state of an optimizer that leaves this parameter to another one
        if len(names) != len(value.shape):
            return NamedSharding(mesh, PartitionSpec())
        for name in names:
            if name is not None and name not in rules:
                raise errors.unknown("logical axis", name, rules)
        spec = nn.logical_to_mesh_axes(names, RULES)
        for name, axis, size in zip(names, spec, value.shape, strict=True):
            if axis is not None and size % mesh.shape[axis]:
                raise errors.ConfigError(
                    f"axis {name!r} of a parameter of shape {value.shape} does not divide over the "
                    f"{mesh.shape[axis]} devices of mesh axis {axis!r}; choose another mesh or another width"
                )
        return NamedSharding(mesh, spec)

    return jax.tree.map(place, boxed, is_leaf=_is_box)


def init_sharded(init_fn: Callable[..., Any], *args: Any, mesh: Mesh) -> Any:
    """Runs `init_fn(*args)` so that every array it makes comes to life where it belongs, and unboxes the result.

    `init_fn` returns a tree with boxed parameters: the parameters alone, or a whole `TrainState` whose optimizer
    state was made from the boxed parameters. No device ever holds more than its own part.
    """
    with use(mesh):
        placed = shardings(jax.eval_shape(init_fn, *args), mesh)
        return jax.jit(lambda *a: _unboxed(init_fn(*a)), out_shardings=placed)(*args)


def shard_batch(batch: Any, mesh: Mesh) -> Any:
    """Puts a host batch on the mesh: the leading axis G (groups) is split over `data`.

    Raises:
      ConfigError: If a leading axis does not divide; the message names the feature.
    """
    size = mesh.shape["data"] // jax.process_count()
    for name, leaf in pytree.named_leaves(batch).items():
        if np.ndim(leaf) == 0 or np.shape(leaf)[0] % size:
            raise errors.ConfigError(
                f"{name} has shape {np.shape(leaf)}; its first axis must divide over {size} data shards"
            )
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    if jax.process_count() == 1:
        return jax.device_put(batch, sharding)
    return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, leaf), batch)


def _is_box(leaf: Any) -> bool:
    return isinstance(leaf, nn.LogicallyPartitioned)


def _unboxed(tree: Any) -> Any:
    """Takes the boxes off without a constraint, which would not fit statistics of fewer axes than their parameter."""
    return jax.tree.map(lambda leaf: leaf.value if _is_box(leaf) else leaf, tree, is_leaf=_is_box)
