"""What a training step keeps in the memory of one device, by part, from shapes alone: nothing is compiled or made."""

import dataclasses
import math
import re
from collections import Counter
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from unified_io import flops, pytree
from unified_io.data.batch import assemble
from unified_io.data.packing import plan
from unified_io.loss import total_loss
from unified_io.model import UnifiedIOConfig, parameter_shapes
from unified_io.nn.held import is_held
from unified_io.train import mesh as meshes
from unified_io.train import optimizer as optimizers
from unified_io.train.job import TrainJob
from unified_io.train.state import TrainState

_STACK = re.compile(r"\b(encoder|decoder)\b")


def state_shapes(job: TrainJob) -> TrainState:
    """Returns the state that a job trains, as shapes boxed with their logical axes."""
    boxed, config = parameter_shapes(job.model), job.optimizer
    if job.apart is not None:
        boxed, config = job.apart.shapes()[0], job.apart.optimizer_of_trained
    optimizer = optimizers.build(config, nn.unbox(boxed))
    return jax.eval_shape(lambda params: TrainState.create(params, optimizer), boxed)


def is_trained(job: TrainJob, name: str) -> bool:
    """Whether a parameter moves."""
    return optimizers.is_trained(job.optimizer, name)


def component(name: str) -> str:
    """The part of the model a parameter is counted in; tokenizers and token tables stand apart."""
    top, *rest = name.split("/")
    return f"{top}/{rest[0]}" if rest[0] in ("tokenizer", "table") else top


def of_device(job: TrainJob, state: TrainState, mesh: Any) -> dict[str, int]:
    """Returns the bytes that one device needs in a step, by part.

    Args:
      job: What is trained.
      state: From `state_shapes`.
      mesh: Axes and sizes; an abstract mesh will do.

    Raises:
      ConfigError: An axis of a parameter does not divide over the mesh.
    """
    params = _on_device(state.params, mesh)
    # Those of a microbatch, and those of the ones before it.
    copies = min(job.microbatches, 2)
    return {
        "parameters": sum(params.values()) + _beside(job, mesh),
        "gradients": sum(size for name, size in params.items() if is_trained(job, name)) * copies,
        "optimizer state": sum(_on_device(state.opt_state, mesh).values()),
        "batch": sum(leaf.nbytes for leaf in jax.tree.leaves(blank(job))) * job.microbatches,
        **{f"activations/{part}": size for part, size in activations(job).items()},
    }


def activations(job: TrainJob) -> dict[str, int]:
    """Returns the bytes that a step keeps for its way back through one group of rows, by part of the model.

    They are what the derivative of the loss refers to besides the parameters, with the remat policy; `working` is the
    block that remat computes again when it is its turn.

    An estimate, within some 15 % of what XLA takes on a CPU. Nothing is taken as split over the `model`
    axis; dropout masks and the layer that `fsdp` gathers are left out.
    """
    batch = blank(job)
    found = _residuals(job.model, batch)
    backbone = job.model.backbone
    if backbone.remat == "none":
        return dict(found)
    plain = dataclasses.replace(job.model, backbone=dataclasses.replace(backbone, remat="none"))
    every = _residuals(plain, batch)
    layers = job.model.stacks.items()
    return {**found, "working": max((every[side] - found[side]) // n for side, n in layers)}


def traffic(sizes: dict[str, int], microbatches: int) -> int:
    """Returns the bytes that a device reads and writes in a step at the very least.

    Trained parameters, which are as large as their gradients, are read forward and backward in every microbatch, and
    by the update, which writes them; gradients and optimizer state are written and read; the batch is read. What is
    kept for the way back may stay in a cache or be fused away, so it is left out.

    Args:
      sizes: From `of_device`.
      microbatches: Of a step.
    """
    gradients = sizes["gradients"] // min(microbatches, 2)
    return gradients * (2 * microbatches + 4) + 2 * sizes["optimizer state"] + sizes["batch"]


def blank(job: TrainJob) -> dict[str, Any]:
    """Returns the batch of one group, all padding."""
    return assemble([], plan([], job.budgets), job.model.inputs, job.model.targets)


def _on_device(boxed: Any, mesh: Any) -> dict[str, int]:
    """Bytes that one device holds of every array, by name."""
    shapes = pytree.named_leaves(nn.unbox(boxed))
    placed = pytree.named_leaves(meshes.shardings(boxed, mesh))
    return {
        name: math.prod(placed[name].shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for name, leaf in shapes.items()
    }


def _beside(job: TrainJob, mesh: Any) -> int:
    """Bytes that one device holds of parameters apart from the state."""
    if job.apart is None:
        return 0
    held = pytree.named_leaves(job.apart.shapes()[1], is_leaf=is_held)
    placed = pytree.named_leaves(meshes.shardings(parameter_shapes(job.model), mesh))
    return sum(
        sum(part.size * part.dtype.itemsize for part in jax.tree.leaves(leaf))
        if is_held(leaf)
        else math.prod(placed[name].shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for name, leaf in held.items()
    )


def _residuals(model: UnifiedIOConfig, batch: Any) -> Counter[str]:
    network, params = model.network(), nn.unbox(parameter_shapes(model))

    def backward(params: Any, batch: Any) -> Any:
        return jax.vjp(lambda params: total_loss(network.apply({"params": params}, batch))[0], params)[1]

    jaxpr = jax.make_jaxpr(backward)(params, jax.tree.map(np.asarray, batch)).jaxpr
    made_in = {id(out): str(eqn.source_info.name_stack) for eqn in jaxpr.eqns for out in eqn.outvars}
    sizes: Counter[str] = Counter()
    for out in {id(out): out for out in jaxpr.outvars}.values():
        if id(out) in made_in:  # else it is a parameter, a part of the batch or a constant
            sizes[_part(made_in[id(out)])] += out.aval.size * out.aval.dtype.itemsize
    return sizes


def _part(stack: str) -> str:
    """The part of the model that a traced operation belongs to."""
    if part := flops.part_of(stack):
        return "/".join(part.split("/")[:2])
    if found := _STACK.search(stack):
        return found[1]
    return "rows" if "Network" in stack or "layers" in stack else "loss"
