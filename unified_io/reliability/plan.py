"""What a training job will take, before anything is compiled: parameters, memory, operations, time and disk."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
from jax.sharding import AbstractMesh

from unified_io import pytree
from unified_io.data import packing
from unified_io.data.budgets import Lengths
from unified_io.errors import ConfigError
from unified_io.flops import StepFlops
from unified_io.model import parameter_shapes
from unified_io.reliability import limits, memory
from unified_io.reliability.machine import Machine
from unified_io.reliability.table import amount, duration, table
from unified_io.train import mesh as meshes
from unified_io.train.job import TrainJob


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a job takes on a machine. Times are lower bounds: no program is faster.

    Attributes:
      machine: On which.
      mesh: Devices along each axis.
      parameters: How many there are: `total`, `trained`, `frozen`.
      parameters_by_part: Likewise by part of the model.
      memory: Bytes of one device, by part.
      flops_per_example: Operations of a step by part, padding included, divided by its examples.
      useful_share: The part of them that real tokens need; None where no lengths of examples were given.
      examples_per_step: Of all groups; without lengths of examples, one a row.
      tokens_per_step: Places in all rows.
      seconds: Of a step at the machine's rate of products (`products`), and at its memory bandwidth (`traffic`); the
        larger of the two (`step`); `total_steps` of them (`run`).
      disk: Bytes of `one checkpoint`, of all `checkpoints` at once, of the `trained model`, and in `total`.
      problems: What does not suffice, and which field of the config to change.
    """

    machine: Machine
    mesh: Mapping[str, int]
    parameters: Mapping[str, int]
    parameters_by_part: Mapping[str, int]
    memory: Mapping[str, int]
    flops_per_example: Mapping[str, float]
    useful_share: float | None
    examples_per_step: int
    tokens_per_step: int
    seconds: Mapping[str, float]
    disk: Mapping[str, int]
    problems: tuple[str, ...]

    @property
    def rates(self) -> dict[str, float]:
        """Examples, tokens and steps a second: upper bounds."""
        counts = {"examples": self.examples_per_step, "tokens": self.tokens_per_step, "steps": 1}
        return {name: count / self.seconds["step"] for name, count in counts.items()}

    def check(self) -> None:
        """Raises ConfigError if something does not suffice; names what to change."""
        if self.problems:
            raise ConfigError("this job can not run there: " + "; ".join(self.problems))

    def as_json(self) -> dict[str, Any]:
        """Returns everything as JSON values, with the total of the memory and the rates."""
        totals = {"memory_total": sum(self.memory.values()), "rates": self.rates}
        return dataclasses.asdict(self) | totals | {"problems": list(self.problems)}

    def as_text(self) -> str:
        """Returns a table for a terminal."""
        flops, useful = self.flops_per_example, self.useful_share
        size = lambda n: amount(n, "B")  # noqa: E731
        mesh = " x ".join(f"{name} {n}" for name, n in self.mesh.items())
        note = "" if useful is None else f", {useful:.1%} of it for real tokens"
        rows = [
            ("machine", str(self.machine.devices), f"devices ({self.machine.name}), mesh {mesh}"),
            *(("parameters", f"{n:,}", name) for name, n in self.parameters.items()),
            *(("", f"{n:,}", f"  {name}") for name, n in self.parameters_by_part.items()),
            ("memory", size(sum(self.memory.values())), f"of {size(self.machine.memory)} a device"),
            *(("", size(n), f"  {name}") for name, n in self.memory.items()),
            ("operations", amount(sum(flops.values()), "FLOP"), f"an example, there and back{note}"),
            *(("", amount(n, "FLOP"), f"  {name}") for name, n in flops.items() if n),
            ("step", f"{self.examples_per_step:,}", f"examples in {self.tokens_per_step:,} places"),
            *(("at least", duration(n), name) for name, n in self.seconds.items()),
            *(("at most", f"{n:,.3g}", f"{name} a second") for name, n in self.rates.items()),
            *(("disk", size(n), name) for name, n in self.disk.items()),
            *(("problem", "", text) for text in self.problems),
        ]
        return table(rows)


def plan(job: TrainJob, machine: Machine, examples: Sequence[Lengths] = ()) -> Plan:
    """Plans a job from shapes: nothing is compiled, and no array of the model is made.

    Args:
      job: Any model, mesh, optimizer and budgets.
      machine: Where it is to run; see `machine.measure` and `machine.named`.
      examples: What examples of the mixture cost, more of them than a batch holds; they tell how many it holds.

    Raises:
      ConfigError: The mesh fits the machine or the parameters not at all. What else is wrong is in `problems`.
    """
    mesh, state = _mesh(job, machine), memory.state_shapes(job)
    sizes = memory.of_device(job, state, mesh)
    groups, rows = meshes.shards(mesh) * job.microbatches, job.budgets.rows

    counter = StepFlops(job.model)
    flops = counter.batch(job.budgets)
    total = sum(flops.values())
    placed = packing.plan(examples, job.budgets).placed
    packed = [example for example, fits in zip(examples, placed, strict=True) if fits]
    held = len(packed) or rows

    per_device = (total + counter.recomputed(job.budgets)) * groups / mesh.size
    moved = memory.traffic(sizes, job.microbatches)
    seconds = {"products": per_device / machine.flops, "traffic": moved / machine.bandwidth}
    seconds["step"] = max(seconds.values())
    seconds["run"] = seconds["step"] * job.total_steps
    disk = limits.disk(job, state)
    return Plan(
        machine,
        dict(mesh.shape),
        *_parameters(job, parameter_shapes(job.model)),
        sizes,
        {part: count / held for part, count in flops.items()},
        sum(counter.useful(packed).values()) / total if packed else None,
        held * groups,
        rows * groups * (job.budgets.encoder_length + job.budgets.decoder_length),
        seconds,
        disk,
        tuple(limits.problems(job, machine, sizes, disk)),
    )


def _mesh(job: TrainJob, machine: Machine) -> AbstractMesh:
    """The job's mesh on devices that need not be here."""
    sizes = meshes.sizes(job.mesh, machine.devices)
    return AbstractMesh(tuple(sizes.values()), tuple(sizes))


def _parameters(job: TrainJob, params: Any) -> tuple[dict[str, int], dict[str, int]]:
    counts: Counter[str] = Counter()
    by_part: Counter[str] = Counter()
    for name, leaf in pytree.named_leaves(nn.unbox(params)).items():
        counts["trained" if memory.is_trained(job, name) else "frozen"] += leaf.size
        by_part[memory.component(name)] += leaf.size
    return {"total": counts.total(), **{kind: counts[kind] for kind in ("trained", "frozen")}}, dict(by_part)
