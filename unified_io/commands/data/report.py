"""`unified-io data report`: what a mixture costs, and how full the batches of a run file become."""

import argparse
import json

from unified_io.commands.progress import Progress
from unified_io.errors import ConfigError

MEANING = "measure a mixture: lengths, how full the batches of a run file become, budgets that would fit"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes besides a run file."""
    add = parser.add_argument
    add("mixture", metavar="MIXTURE", help="a registered task or mixture; the run file imports its module")
    add("--examples", type=int, default=2000, metavar="N", help="how many examples to measure")
    add("--split", default="train", help="a split of its sources")
    add("--json", action="store_true", help="print one JSON object, as the last line, and no table")


def run(args: argparse.Namespace) -> None:
    """Measures a mixture and prints what was found."""
    from unified_io.data import pipeline, statistics

    job = args.build()
    training = getattr(job, "training", job)  # a job of several stages has one that trains the model
    needed = ("model", "budgets", "lookahead", "seed")
    if missing := [name for name in needed if not hasattr(training, name)]:
        raise ConfigError(
            f"{type(training).__name__} has no {' and no '.join(missing)}; give the run file of a TrainJob"
        )
    inputs, targets = training.model.inputs, training.model.targets
    source = getattr(training, "source", None) or getattr(job, "source", None)
    objective = getattr(training, "objective", None)
    bound = pipeline.bind(args.mixture, inputs, targets, source=source, objective=objective)
    sample = statistics.draw(
        bound,
        inputs,
        targets,
        training.budgets,
        args.examples,
        split=args.split,
        seed=training.seed,
        tell=Progress(args.examples),
    )
    report = statistics.report(sample, inputs, targets, training.budgets, training.lookahead)
    found = {"mixture": args.mixture, "split": args.split, **report}
    print(json.dumps(found) if args.json else f"{args.mixture}, {args.split}: {statistics.as_text(found)}")
