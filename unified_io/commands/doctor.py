"""`unified-io doctor`: versions, devices, memory, disk, known-bad combinations, and a self-test."""

import argparse
import json

MEANING = "look this machine over: versions, devices, memory, disk, and a self-test of ten seconds"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    add = parser.add_argument
    add("--model_dir", default=".", metavar="FOLDER", help="where a run would write")
    add("--no_self_test", action="store_true", help="only look, do not run a tiny model")
    add("--json", action="store_true", help="print one JSON object, as the last line, and no table")


def run(args: argparse.Namespace) -> int:
    """Prints a line a check; returns 1 if something failed."""
    from unified_io.reliability import doctor, finding

    found = doctor.examine(args.model_dir, self_test=not args.no_self_test)
    print(json.dumps(finding.as_json(found)) if args.json else finding.as_text(found))
    return finding.exit_code(found)
