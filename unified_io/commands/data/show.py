"""`unified-io data show`: what a model sees of a task, as a page."""

import argparse
from pathlib import Path

from unified_io.commands import modules
from unified_io.errors import ConfigError

MEANING = "write a page of a task's examples: inputs, masks, prompts, targets, boxes drawn, sounds to play"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes besides a run file, which it can do without."""
    add = parser.add_argument
    add("task", metavar="TASK", help="a registered task")
    modules.add_flag(parser)
    add("--split", default="train", help="a split of its source")
    add("--examples", type=int, default=12, metavar="N", help="how many examples to show")
    add("--seed", type=int, default=0, help="what the task draws")
    add("--sample", action="store_true", help="show the made-up records of its registration, not its data")
    add("--out", type=Path, default=Path("show"), metavar="FOLDER", help="where to write report.html")


def run(args: argparse.Namespace) -> None:
    """Writes the page and says where it is."""
    if args.examples < 1:
        raise ConfigError(f"{args.examples} examples to show; give at least 1")
    job = args.build() if args.gin_file or args.model_dir else None
    modules.load(args.module)
    page = modules.catalogue().show(
        args.task, args.split, args.examples, args.seed, args.out, sample=args.sample, job=job
    )
    print(f"written to {page}")
