"""`unified-io data convert`: a folder or a file of examples as records of our own."""

import argparse
from pathlib import Path

from unified_io.commands import modules
from unified_io.commands.progress import Progress

MEANING = "turn a folder of media, .csv, .jsonl, .tar or .parquet into our records"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="a file, or a folder with one folder of media a class")
    add("--to", type=Path, required=True, metavar="FOLDER", help="where to write")
    add("--split", default="train", help="name of the split that is written")
    add("--task", metavar="TASK", help="use the mapping of this task; without, fields have our own names")
    modules.add_flag(parser)


def run(args: argparse.Namespace) -> int:
    """Writes what can be read and says what can not; returns 1 if something was left out."""
    modules.load(args.module)
    found = modules.catalogue().convert(args.source, args.to, args.split, args.task, Progress)
    print(f"{found.written} records written to {args.to}")
    if found.errors:
        print(found.as_text())
    return int(bool(found.errors))
