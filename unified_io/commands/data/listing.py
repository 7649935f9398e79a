"""`unified-io data list`: every registered task, and whether its data can be had."""

import argparse
import json

from unified_io.commands import modules

MEANING = (
    "list the tasks: group, dataset, modalities, format, metric, where the data come from, runnable or not"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    modules.add_flag(parser)
    parser.add_argument("--group", metavar="NAME", help="only the tasks of this group")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line, no table"
    )


def run(args: argparse.Namespace) -> None:
    """Prints the table, or its sums as JSON."""
    modules.load(args.module)
    catalogue = modules.catalogue()
    if args.json:
        print(json.dumps(catalogue.sums()))
    else:
        print(catalogue.table(args.group))
