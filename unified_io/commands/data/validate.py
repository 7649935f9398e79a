"""`unified-io data validate`: every record of a file put to the test, before a run finds out."""

import argparse
import json
from pathlib import Path

from unified_io.commands import modules
from unified_io.commands.progress import Progress

MEANING = "check every record of a file (.jsonl, .csv, .tar, .parquet, …); 1 if one is wrong"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the file; media it names lie beside it")
    add(
        "--task",
        metavar="TASK",
        help="check with the mapping of this task; without, fields have our own names",
    )
    modules.add_flag(parser)
    add("--most", type=int, default=50, metavar="N", help="print so many errors")
    add("--json", action="store_true", help="print one JSON object as the last line, no table")


def run(args: argparse.Namespace) -> int:
    """Prints a line an error; returns 1 if there is one."""
    modules.load(args.module)
    found = modules.catalogue().validate(args.file, args.task, Progress)
    if args.json:
        print(json.dumps(found.as_json()))
    else:
        print(found.as_text(args.most))
    return int(bool(found.errors))
