"""What a job asks of a machine's memory and disk against what there is, and which field of the config to change."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from unified_io.model import parameter_shapes
from unified_io.reliability.machine import Machine
from unified_io.reliability.table import amount
from unified_io.train.job import TrainJob
from unified_io.train.state import TrainState


def disk(job: TrainJob, state: TrainState) -> dict[str, int]:
    """Returns the bytes that a run leaves on disk at most; a new checkpoint is whole before the oldest goes."""
    one, export = _bytes(state), _bytes(parameter_shapes(job.model))
    every = one * kept(job)
    return {"one checkpoint": one, "checkpoints": every, "trained model": export, "total": every + export}


def kept(job: TrainJob) -> int:
    """Returns how many checkpoints there are at most at once: the newest, one in the making, and those that stay."""
    # Of the saved steps those stay that are multiples of the period.
    for_ever = job.keep_period and job.total_steps // math.lcm(job.keep_period, job.checkpoint_period)
    return job.keep + 1 + (for_ever or 0)


def problems(
    job: TrainJob, machine: Machine, memory: Mapping[str, int], disk: Mapping[str, int]
) -> Iterator[str]:
    """Yields what does not suffice.

    Args:
      job: What is to run.
      machine: Where.
      memory: Bytes of one device, by part.
      disk: From `disk`.
    """
    lasting = sum(memory[part] for part in ("parameters", "gradients", "optimizer state"))
    total, there = sum(memory.values()), amount(machine.memory, "B")
    if lasting > machine.memory:
        yield (
            f"parameters, gradients and optimizer state take {amount(lasting, 'B')} but a device has {there}: raise "
            f"MeshConfig.model (now {job.mesh.model}) on more devices, name more parts in OptimizerConfig.frozen, or "
            f"choose an OptimizerConfig.name with less state (now {job.optimizer.name!r})"
        )
    elif total > machine.memory:
        remat = job.model.backbone.remat
        advice = "" if remat == "full" else f", set BackboneConfig.remat='full' (now {remat!r})"
        yield (
            f"a step takes {amount(total, 'B')}, {amount(total - lasting, 'B')} of it for the batch and its "
            f"activations, but a device has {there}: lower Budgets.rows (now {job.budgets.rows}) and the banks in "
            f"Budgets.inputs and Budgets.targets{advice}"
        )
    if machine.disk is not None and disk["total"] > machine.disk:
        yield (
            f"{kept(job)} checkpoints and the trained model take {amount(disk['total'], 'B')} but "
            f"{amount(machine.disk, 'B')} are free: set TrainJob.model_dir to a folder with more room"
        )


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
