"""Devices as a mesh of (data, fsdp, model), and where every array lies on it. Knows logical axis names, no model."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
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
    *((name, None) for name in ("kv", "length", "layers", "stack", "mlp_activations")),
    *((name, None) for name in ("relpos_buckets", "abspos_buckets", "modality_embedding")),
    *((name, None) for name in ("axis_0", "axis_1", "axis_2", "axis_3")),
)


@dataclasses.dataclass(frozen=True)
class MeshConfig:
    """How many devices share a batch and how many share a layer.

    Attributes:
      data: Devices over which the groups of a batch are split; -1 takes all devices there are.
      fsdp: Devices over which groups and parameters are split: each keeps its part of the parameters and of the
        optimizer's state, and gathers a layer when it is its turn.
      model: Devices over which a layer's heads, MLP and vocabulary are split.
    """

    data: int = -1
    fsdp: int = 1
    model: int = 1


def make_mesh(config: MeshConfig = MeshConfig(), devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Returns the mesh with axes `data`, `fsdp` and `model` over the first devices; one device is a mesh too.

    Raises:
      ConfigError: If there are too few devices, or `fsdp * model` does not divide all of them.
    """
    devices = jax.devices() if devices is None else list(devices)
    inner = config.fsdp * config.model
    data = len(devices) // max(inner, 1) if config.data == -1 else config.data
    shape = (data, config.fsdp, config.model)
    size = math.prod(shape)
    if min(shape) < 1 or size > len(devices) or (config.data == -1 and size < len(devices)):
        raise errors.ConfigError(
            f"mesh data={config.data}, fsdp={config.fsdp}, model={config.model} does not fit {len(devices)} devices; "
            f"choose fsdp and model whose product divides {len(devices)}, and data=-1 for the rest"
        )
    return jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * len(AXES), devices=devices[:size])


def shards(mesh: Mesh) -> int:
    """Returns over how many devices, or rows of devices, a batch is split."""
    return math.prod(mesh.shape[axis] for axis in BATCH_AXES)


def own_shards(mesh: Mesh) -> list[int]:
    """Returns the shards of a batch that this process makes: those of its own devices, in the mesh's order."""
    first = mesh.devices[..., 0].reshape(-1)
    return [number for number, device in enumerate(first) if device.process_index == jax.process_index()]


@contextlib.contextmanager
def use(mesh: Mesh) -> Iterator[Mesh]:
    """Within this context, logical constraints in a traced function are constraints on this mesh."""
    with jax.set_mesh(mesh), nn.logical_axis_rules(RULES):
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
        names, value = (leaf.names, leaf.value) if _is_box(leaf) else ((), leaf)
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
    """Puts a host batch on the mesh: the leading axis G (groups) is split over `data` and `fsdp`.

    Raises:
      ConfigError: If a leading axis does not divide; the message names the feature.
    """
    size = shards(mesh) // jax.process_count()
    for name, leaf in pytree.named_leaves(batch).items():
        if np.ndim(leaf) == 0 or np.shape(leaf)[0] % size:
            raise errors.ConfigError(
                f"{name} has shape {np.shape(leaf)}; its first axis must divide over {size} shards of the batch"
            )
    sharding = NamedSharding(mesh, PartitionSpec(BATCH_AXES))
    if jax.process_count() == 1:
        return jax.device_put(batch, sharding)
    return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(sharding, leaf), batch)


def _is_box(leaf: Any) -> bool:
    return isinstance(leaf, nn.LogicallyPartitioned)


def _unboxed(tree: Any) -> Any:
    """Takes the boxes off without a constraint, which would not fit statistics of fewer axes than their parameter."""
    return jax.tree.map(lambda leaf: leaf.value if _is_box(leaf) else leaf, tree, is_leaf=_is_box)
