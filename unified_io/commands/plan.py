"""`unified-io plan`: what a run will take, before anything is compiled."""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from unified_io.commands.progress import Progress

MEANING = "say what a run will take before it is compiled: parameters, memory, operations, time, disk"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes besides a run file."""
    add = parser.add_argument
    add("--machine", metavar="NAME", help="plan for this kind of device; without, this machine is measured")
    add("--devices", type=int, default=1, metavar="N", help="how many of them")
    add("--examples", type=int, default=500, metavar="N", help="examples to measure; 0 reads no data")
    add("--json", action="store_true", help="print one JSON object, as the last line, and no table")


def run(args: argparse.Namespace) -> None:
    """Prints a plan.

    Raises:
      ConfigError: Memory or disk do not suffice, or the mesh does not fit; names what to change.
    """
    from unified_io.reliability import machine
    from unified_io.reliability.plan import plan

    job = args.build()
    job = job.model_job() if hasattr(job, "model_job") else job
    training = getattr(job, "training", job)
    there = (
        machine.named(args.machine, args.devices)
        if args.machine
        else machine.measure(training.model.backbone.dtype, training.model_dir)
    )
    # A job whose batch is that of all devices together has another shape on each number of them.
    job = job.on(there.devices) if hasattr(job, "on") else job
    planned = plan(job, there, _lengths(job, args.examples))
    print(json.dumps(planned.as_json()) if args.json else planned.as_text())
    planned.check()


def _lengths(job: Any, count: int) -> Sequence[Any]:
    if not count:
        return ()
    from unified_io.data import statistics

    model = job.model
    sample = statistics.draw(
        job.bind(), model.inputs, model.targets, job.budgets, count, seed=job.seed, tell=Progress(count)
    )
    return sample.lengths
