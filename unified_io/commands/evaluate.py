"""`unified-io eval --tasks=…`: any checkpoint on any tasks; `--compare`: two such evaluations side by side."""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from unified_io.commands import modules
from unified_io.commands.generate import SAMPLING
from unified_io.commands.progress import Progress
from unified_io.errors import ConfigError

_FIRST = 64  # numbers of every parameter that tell weights from others


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes besides a run file; without --tasks and --compare the run file's job evaluates itself."""
    add = parser.add_argument
    add("--tasks", metavar="A,B", help="registered tasks to judge the model on")
    add("--split", default="validation", help="a split of the tasks")
    add("--examples", type=int, default=256, metavar="N", help="examples a task, the first ones")
    add(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where to write; what is predicted there is not predicted again",
    )
    add("--checkpoint", metavar="FOLDER", help="a model to judge in place of the run file's own")
    add("--batch_size", type=int, metavar="N", help="rows the model computes at once")
    modules.add_flag(parser)
    for name, (kind, meaning) in SAMPLING.items():
        add(f"--{name}", type=kind, help=f"{meaning} (default: that of the output)")
    add("--compare", nargs=2, type=Path, metavar=("A", "B"), help="two results.json of --tasks to compare")


def asked(args: argparse.Namespace) -> bool:
    """Whether the flags ask for this, not for what the run file's job does on its own."""
    return bool(args.compare or args.tasks)


def run(args: argparse.Namespace) -> None:
    """Judges and writes, or compares and prints.

    Raises:
      ConfigError: No model, task or folder is named, or they do not fit each other.
    """
    from unified_io.evaluation import scoreboard

    if args.compare:
        print(scoreboard.compare(*args.compare))
        return
    if args.out is None:
        raise ConfigError("where shall predictions and scores go? give --out=FOLDER")
    outcomes, model, weights = _outcomes(args)
    from unified_io.evaluation import gallery

    scoreboard.write(outcomes, args.out, weights)
    page = gallery.write_page(
        outcomes, args.out, gallery.sounds_of(model.config), {"weights": weights, "split": args.split}
    )
    print(f"{scoreboard.as_markdown(outcomes)}\n\nwritten to {args.out}; look at {page}")


def _outcomes(args: argparse.Namespace) -> tuple[list[Any], Any, str]:
    import seqio

    from unified_io import api
    from unified_io.evaluation.evaluator import Evaluator

    training = _training(args)
    tasks = list(dict.fromkeys(filter(None, args.tasks.split(","))))
    if args.module or not set(tasks) <= {*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()}:
        modules.load(args.module)
    model = api.from_pretrained(args.checkpoint or training.model_dir)
    decoding = {name: getattr(args, name) for name in SAMPLING if getattr(args, name) is not None}
    weights = _digest(model.params)
    evaluator = Evaluator(
        model,
        args.out,
        split=args.split,
        count=args.examples,
        source=getattr(training, "source", None),
        decoding=decoding,
        batch_size=args.batch_size,
        weights=weights,
    )
    evaluator.check(tasks)
    return [evaluator(task, Progress(args.examples)) for task in tasks], model, weights


def _training(args: argparse.Namespace) -> Any:
    """The job of the run file, which says where the model lies and what tasks read; None where there is no run file."""
    if not (args.gin_file or args.model_dir):
        if args.checkpoint:
            return None
        raise ConfigError(
            "which model? give --gin_file=FILE and --model_dir=FOLDER of a run, or --checkpoint=FOLDER"
        )
    job = args.build()
    job = job.model_job() if hasattr(job, "model_job") else job
    training = getattr(job, "training", job)
    if not args.checkpoint and not getattr(training, "model_dir", None):
        raise ConfigError(
            f"{type(training).__name__} has no model_dir; say where the model lies: --checkpoint=FOLDER"
        )
    return training


def _digest(params: Any) -> str:
    """A name for these weights: any step of training changes it."""
    from unified_io import pytree

    total = hashlib.sha256()
    for name, leaf in sorted(pytree.named_leaves(params).items()):
        first = np.asarray(leaf.reshape(-1)[:_FIRST])
        total.update(f"{name} {leaf.shape} {leaf.dtype}".encode() + first.tobytes())
    return total.hexdigest()[:12]
