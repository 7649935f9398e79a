"""Devices as a mesh of (data, fsdp, model), and where every array lies on it. Knows logical axis names, no model."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from unified_io import errors, pytree

MeshAxes = str | tuple[str, ...] | None
AXES = ("data", "fsdp", "model")
BATCH_AXES = ("data", "fsdp")

# Logical axis -> mesh axes; None is replicated. Source: the released Unified-IO 2 rules (facts on logical axes), with
# widths over `fsdp` as in T5X's two-dimensional parameter partitioning.
RULES: tuple[tuple[str, MeshAxes], ...] = (
    ("batch", BATCH_AXES),
    ("embed", "fsdp"),
    ("vocab", "model"),
    ("mlp", "model"),
    ("heads", "model"),
    ("joined_kv", "model"),
    ("image_patch", "model"),
    *((name, None) for name in ("kv", "length", "layers", "stack", "mlp_activations", "rank")),
    *((name, None) for name in ("relpos_buckets", "abspos_buckets", "modality_embedding")),
    *((name, None) for name in ("axis_0", "axis_1", "axis_2", "axis_3")),
)
# The same within a computation: what lies in parts over `fsdp` is gathered when it is used. Left to itself XLA gathers
# the batch as often as the parameter, up to the logits, and every device computes everything.
RULES_IN_USE = tuple((name, None if axes == "fsdp" else axes) for name, axes in RULES)


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """How many devices share a batch and how many share a layer.

    One of the numbers may be -1: all devices that the others leave.

    Attributes:
      data: Devices over which the groups of a batch are split.
      fsdp: Devices over which groups and parameters are split: each keeps its part of the parameters and of the
        optimizer's state, and gathers a layer when it is its turn.
      model: Devices over which a layer's heads, MLP and vocabulary are split.
    """

    data: int = -1
    fsdp: int = 1
    model: int = 1


def make_mesh(config: MeshConfig = MeshConfig(), devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Returns the mesh with axes `data`, `fsdp` and `model` over the first devices; one device is a mesh too.

    Args:
      config: Devices along each axis.
      devices: Those to use; None for all, of all processes.

    Raises:
      ConfigError: The numbers do not fit the devices, or leave a process without one.
    """
    devices = jax.devices() if devices is None else list(devices)
    shape = tuple(sizes(config, len(devices)).values())
    chosen = devices[: math.prod(shape)]
    idle = {device.process_index for device in devices} - {device.process_index for device in chosen}
    if idle:
        raise errors.ConfigError(
            f"a mesh of {len(chosen)} of {len(devices)} devices leaves nothing to do for processes {sorted(idle)}; "
            "set MeshConfig.data=-1, or start fewer processes"
        )
    return jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * len(AXES), devices=chosen)


def sizes(config: MeshConfig, devices: int) -> dict[str, int]:
    """Returns how many of so many devices lie along each axis.

    sizes(MeshConfig(data=-1, model=2), 8) = {"data": 4, "fsdp": 1, "model": 2}

    Raises:
      ConfigError: There are too few devices, or an axis of -1 has no whole number of them left.
    """
    found = {axis: getattr(config, axis) for axis in AXES}
    open_axes = [axis for axis, size in found.items() if size == -1]
    closed = math.prod(size for size in found.values() if size != -1)
    if len(open_axes) == 1 and closed > 0 and devices % closed == 0:
        found[open_axes[0]] = devices // closed
    if min(found.values()) < 1 or math.prod(found.values()) > devices:
        asked = ", ".join(f"MeshConfig.{axis}={getattr(config, axis)}" for axis in AXES)
        raise errors.ConfigError(
            f"{asked} do not fit {devices} devices; set MeshConfig.data=-1 and the others so that their product "
            f"divides {devices}"
        )
    return found


def shards(mesh: Mesh) -> int:
    """Returns over how many devices, or rows of devices, a batch is split."""
    return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def own_shards(mesh: Mesh) -> list[int]:
    """Returns the shards of a batch that this process makes: those of its devices, in the mesh's order.

    Where a layer is split over several processes, each of them makes the same shard.
    """
    rows = mesh.devices.reshape(shards(mesh), -1)
    return [
        number
        for number, row in enumerate(rows)
        if any(device.process_index == jax.process_index() for device in row)
    ]


@contextlib.contextmanager
def use(mesh: Mesh) -> Iterator[Mesh]:
    """Within this context, logical constraints in a traced function are those of the mesh, by `RULES_IN_USE`."""
    with jax.set_mesh(mesh), nn.logical_axis_rules(RULES_IN_USE):
        yield mesh


def shardings(boxed: Any, mesh: Mesh) -> Any:
    """Returns where every array of an abstract tree lies on the mesh, as an unboxed tree of shardings.

    Args:
      boxed: Shapes, boxed by `nn.with_logical_partitioning`. A leaf without a box is replicated, and so is one
        whose box names other axes than it has (the statistics of a factored second moment, and the single numbers
        in their place).
      mesh: The mesh.

    Raises:
      ConfigError: For an unknown logical axis, or an axis that its mesh axis does not divide.
    """
    rules = dict(RULES)

    def place(leaf: Any) -> Any:
        names, value = (leaf.names, leaf.value) if is_box(leaf) else ((), leaf)
        if not jax.tree.leaves(value):
            return value  # the state of an optimizer that leaves this parameter to another one
        if len(names) != len(value.shape) or math.prod(value.shape) == 1:
            return NamedSharding(mesh, PartitionSpec())
        for name in names:
            if name is not None and name not in rules:
                raise errors.unknown("logical axis", name, rules)
        spec = nn.logical_to_mesh_axes(names, RULES)
        for name, axis, size in zip(names, spec, value.shape, strict=True):
            # A name of parameters is never split over more than one mesh axis.
            if axis is not None and size % mesh.shape[axis]:
                raise errors.ConfigError(
                    f"axis {name!r} of a parameter of shape {value.shape} does not divide over the "
                    f"{mesh.shape[axis]} devices of mesh axis {axis!r}; choose another mesh or another width"
                )
        return NamedSharding(mesh, spec)

    return jax.tree.map(place, boxed, is_leaf=is_box)


def init_sharded(init_fn: Callable[..., Any], *args: Any, mesh: Mesh) -> Any:
    """Runs `init_fn(*args)` so that every array it makes comes to life where it belongs, and unboxes the result.

    `init_fn` returns a tree with boxed parameters: the parameters alone, or a whole `TrainState` whose optimizer
    state was made from the boxed parameters. No device ever holds more than its own part.
    """
    with use(mesh):
        placed = shardings(jax.eval_shape(init_fn, *args), mesh)
        return jax.jit(lambda *a: _unboxed(init_fn(*a)), out_shardings=placed)(*args)


def shard_batch(batch: Any, mesh: Mesh) -> Any:
    """Puts a batch on the mesh: the leading axis G (groups) is split over `data` and `fsdp`.

    Of several processes each gives the groups of its own shards.

    Raises:
      ConfigError: If a leading axis does not divide; the message names the feature.
    """
    size = shards(mesh) if jax.process_count() == 1 else len(own_shards(mesh))
    for name, leaf in pytree.named_leaves(batch).items():
        if np.ndim(leaf) == 0 or np.shape(leaf)[0] % size:
            raise errors.ConfigError(
                f"{name} has shape {np.shape(leaf)}; its first axis must divide over {size} shards of the batch"
            )
    sharding = NamedSharding(mesh, PartitionSpec(BATCH_AXES))
    if jax.process_count() == 1:
        return jax.device_put(batch, sharding)
    return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, leaf), batch)


def whole(tree: Any) -> Any:
    """Returns the arrays of a tree on this host, as NumPy; of several processes all must call it."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def is_box(leaf: Any) -> bool:
    """Whether a node is an array boxed with its logical axes."""
    return isinstance(leaf, nn.LogicallyPartitioned)


def _unboxed(tree: Any) -> Any:
    """Takes the boxes off without a constraint, which would not fit statistics of fewer axes than their parameter."""
    return jax.tree.map(lambda leaf: leaf.value if is_box(leaf) else leaf, tree, is_leaf=is_box)
