"""`unified-io drill`: what the front page promises, put to the test on this machine."""

import argparse
import json

MEANING = "put what is promised to the test here: kills, flipped bits, bad files, wrong keys, and more"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="drills to run; without, all of them")
    add("--quick", action="store_true", help="those that take under 50 s together, with fewer repeats")
    add("--json", action="store_true", help="print one JSON object as the last line, behind the table")
    add("--list", action="store_true", help="say which drills there are, and run none")


def run(args: argparse.Namespace) -> int:
    """Prints a line a drill as they come; returns 1 if one failed."""
    from unified_io.reliability.drills import drill, roster
    from unified_io.reliability.table import table

    drills = roster.chosen(args.names, args.quick)
    if args.list:
        print(table((x.name, f"{x.seconds:.0f} s", "quick" if x.quick else "", x.promise) for x in drills))
        return 0
    width = max(len(x.name) for x in drills)

    def tell(outcome: drill.Outcome) -> None:
        print(
            f"{outcome.state}  {outcome.name:{width}}  {outcome.seconds:6.1f} s  {outcome.what}", flush=True
        )

    outcomes = roster.run(drills, args.quick, tell)
    if args.json:
        print(json.dumps(drill.as_json(outcomes)))
    return drill.exit_code(outcomes)
