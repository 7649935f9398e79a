"""What packing brings: the same examples padded, in pairs as released, and planned into rows, in one process.

    python tools/bench_packing.py                  minutes on two cores; wants a quiet machine
    python tools/bench_packing.py --quick --json   under a minute; the last line is one JSON object

Sequence lengths are those of gin_configs/model/base.gin, widths are narrow. Padded is one example a row, rows and
banks as long as an example could be, absent media encoded too; pairs is at most two a row as the released pipeline
folds them, absent media encoded too; ours is planned rows and banks. A step is forward and backward in float32.
Every way gets about the same room for tokens, its steps alternate with those of the others, and medians count.

Quick times the balanced mixture only. In the others padded and pairs run the same programs; the seconds of ours are
estimated there from its operations, and the table says so.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import mixtures, model
from bench.clock import where
from bench.programs import Program, compile_all, seconds_a_step
from bench.stream import WAYS, Stream, cost_of, lay_out

from unified_io.flops import StepFlops

TIMED_WHEN_QUICK = "balanced"


class Result(NamedTuple):
    """One line of the table: a way with a mixture."""

    rows: int
    encoder: int
    decoder: int
    examples: float
    examples_s: float
    tokens_s: float
    fill_encoder: float
    fill_decoder: float
    wasted: float
    step_s: float
    compile_s: float
    plan_ms: float
    plan_share: float


def result_of(
    stream: Stream, name: str, flops: StepFlops, seconds: float, programs: Mapping[str, Program]
) -> Result:
    """Puts together what is known of a way; `seconds` are those of a step."""
    way = stream.ways[name]
    program = programs.get(str(way.budgets))
    return Result(
        rows=way.budgets.rows,
        encoder=way.budgets.encoder_length,
        decoder=way.budgets.decoder_length,
        examples=way.examples,
        examples_s=way.examples / seconds,
        tokens_s=way.tokens / seconds,
        fill_encoder=way.fill(0),
        fill_decoder=way.fill(1),
        wasted=stream.wasted(name, flops),
        step_s=seconds,
        compile_s=program.seconds if program else float("nan"),
        plan_ms=1e3 * way.planning,
        plan_share=way.planning / seconds,
    )


def gains(results: Mapping[str, Result]) -> tuple[float, float]:
    """Examples a second of ours over those of padded and of pairs."""
    ours = results["ours"].examples_s
    return ours / results["padded"].examples_s, ours / results["pairs"].examples_s


def summary(results: Mapping[str, Mapping[str, Result]]) -> dict[str, Any]:
    """The numbers of the goals; fill and planning are those of the balanced mixture."""
    ours, names = results["balanced"]["ours"], ("ours_over_padded", "ours_over_pairs")
    return {
        **{mixture: dict(zip(names, gains(lines), strict=True)) for mixture, lines in results.items()},
        "fill_encoder": ours.fill_encoder,
        "fill_decoder": ours.fill_decoder,
        "planner_share": ours.plan_share,
    }


def estimated(
    stream: Stream, timed: Stream, seconds: Mapping[str, float], flops: StepFlops
) -> dict[str, float]:
    """Seconds of a step where ours was not timed: as many an operation as in a stream where it was."""
    done, wanted = (cost_of(flops, x.ways["ours"].budgets) for x in (timed, stream))
    return {**seconds, "ours": seconds["ours"] * wanted / done}


def show(
    mixture: str, results: Mapping[str, Result], counted: Mapping[str, tuple[float, float]], note: str
) -> None:
    """Prints one line a way, and what ours gains."""
    print(f"\n{mixture}{note}\n{'':8}" + "".join(f"{column:>13}" for column in Result._fields))
    for name, result in results.items():
        print(f"{name:8}" + "".join(f"{value:13.4g}" for value in result))
    for what, (padded, pairs) in {"in examples/s": gains(results), **counted}.items():
        print(f"ours is {padded:.2f} x padded, {pairs:.2f} x pairs {what}")


def main() -> None:
    """Prints a table a mixture; with --json the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=6000, help="examples drawn of every mixture")
    parser.add_argument(
        "--rows", type=int, default=8, help="rows of pairs in a batch; others get as much room"
    )
    parser.add_argument("--lookahead", type=int, default=400, help="examples our planner chooses from")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps of every way and mixture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a smaller model, fewer examples and repeats")
    parser.add_argument("--json", action="store_true", help="last line one JSON object")
    args = parser.parse_args()
    if args.quick:
        args.examples, args.rows, args.repeats = 2400, 4, 3
    print(
        f"{where('jax', 'jaxlib', 'flax', 'numpy')}; seed {args.seed}, look-ahead {args.lookahead} examples"
    )

    config = model.numbered(model.base(model.NARROWER if args.quick else model.NARROW))
    params, flops = model.random_params(model.shapes(config), args.seed), StepFlops(config)
    counters = {"by operations": flops}
    if not args.quick:
        counters["by operations at the widths of base"] = StepFlops(model.base({}))
    sizes = {"examples": args.examples, "rows": args.rows, "lookahead": args.lookahead, "seed": args.seed}
    streams = {name: lay_out(name, config, flops, **sizes) for name in mixtures.MIXTURES}
    to_time = {TIMED_WHEN_QUICK: streams[TIMED_WHEN_QUICK]} if args.quick else streams
    programs = compile_all(config, params, to_time.values(), quick=args.quick)
    seconds = {
        name: seconds_a_step(stream, programs, params, args.repeats) for name, stream in to_time.items()
    }
    notes = dict.fromkeys(streams.keys() - seconds.keys(), ": seconds of ours estimated from its operations")
    for mixture in notes:
        seconds[mixture] = estimated(
            streams[mixture], to_time[TIMED_WHEN_QUICK], seconds[TIMED_WHEN_QUICK], flops
        )
    results = {}
    for mixture, stream in streams.items():
        taken = seconds[mixture]
        results[mixture] = {name: result_of(stream, name, flops, taken[name], programs) for name in WAYS}
        counted = {words: stream.gains(counter) for words, counter in counters.items()}
        show(mixture, results[mixture], counted, notes.get(mixture, ""))
    if args.json:
        print(json.dumps(summary(results)))


if __name__ == "__main__":
    main()
