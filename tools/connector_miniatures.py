"""Asks which claims of the papers about connectors show on real digits; see docs/miniatures.md.

python tools/connector_miniatures.py --out_dir=runs/miniatures --speech_dir=FOLDER --out=docs/miniatures.md
"""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

from data_tasks.connected_digits.miniatures.bench import Bench
from data_tasks.connected_digits.miniatures.experiments import EXPERIMENTS
from data_tasks.connected_digits.miniatures.page import written
from data_tasks.connected_digits.miniatures.parts import Parts
from data_tasks.connected_digits.miniatures.record import Record
from data_tasks.connected_digits.miniatures.scale import QUICK, Scale
from data_tasks.digits.source import DigitsSource


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what has no result yet; the same command goes on where it was stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out_dir", type=Path, required=True, help="keeps parts and results")
    parser.add_argument(
        "--speech_dir", help="recordings {digit}_{speaker}_{index}.wav, of five speakers or more"
    )
    parser.add_argument("--out", type=Path, help="Markdown file with marks to write the tables between")
    parser.add_argument("--experiments", type=int, nargs="*", default=[*EXPERIMENTS], choices=[*EXPERIMENTS])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="a few steps of the first seed")
    args = parser.parse_args(argv)
    # A few steps leave nothing that a whole run would find and take for its own.
    out_dir = args.out_dir / "quick" if args.quick else args.out_dir
    source = DigitsSource(speech_dir=args.speech_dir, data_dir=str(out_dir / "data"))
    record = Record(out_dir / "results")
    for seed in args.seeds[:1] if args.quick else args.seeds:
        bench = Bench(Parts(_folder(out_dir, seed), seed, source, QUICK if args.quick else Scale()))
        for number in args.experiments:
            for arm in EXPERIMENTS[number].arms:
                run = functools.partial(EXPERIMENTS[number].run, bench, arm)
                outcome = record.measured(number, arm, seed, run)
                means = {name: round(sum(v) / max(len(v), 1), 4) for name, v in outcome.items()}
                print(f"{number}, {arm}, seed {seed}: {means}", flush=True)
    if args.out:
        args.out.write_text(written(args.out.read_text(), record))


def _folder(out_dir: Path, seed: int) -> Path:
    folder = out_dir / "parts" / f"seed_{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
