"""`unified-io data …`: the tables of tasks, looking at one, and files on their way to become one."""

import argparse
from collections.abc import Sequence

from unified_io.commands.data import convert, listing, report, show, validate

MEANING = "tasks and their data: list, show, validate, convert, or measure a mixture (report)"
WHATS = {"report": report, "list": listing, "show": show, "validate": validate, "convert": convert}
WITH_RUN_FILE = ("report", "show")


def add_flags(parser: argparse.ArgumentParser) -> Sequence[argparse.ArgumentParser]:
    """Adds a command for each of WHATS; returns the parsers of those that read a run file too."""
    whats = parser.add_subparsers(dest="what", required=True, metavar="|".join(WHATS))
    readers = []
    for name, command in WHATS.items():
        flags = whats.add_parser(
            name, help=command.MEANING, formatter_class=parser.formatter_class, allow_abbrev=False
        )
        command.add_flags(flags)
        readers += [flags] if name in WITH_RUN_FILE else []
    return readers


def run(args: argparse.Namespace) -> int | None:
    """Runs one of them; returns its exit code."""
    return WHATS[args.what].run(args)
