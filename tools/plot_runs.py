"""Draws a metric of one or several runs over what they cost: a curve a run, from their `train.jsonl`.

    python tools/plot_runs.py packed=runs/a padded=runs/b --y eval/loss --x cpu_seconds --out curve.svg

With --below the table says what every run had spent when the metric first fell below each level. Needs matplotlib
(`pip install "unified-io[plot]"`).
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

FILE = "train.jsonl"


class Curve(NamedTuple):
    """One run: what it had cost, and what it had reached."""

    name: str
    x: list[float]
    y: list[float]

    def reached(self, level: float) -> float:
        """Cost at which the curve first lies below a level, between two points along a line; NaN if never.

        Where it begins below it, the cost of its first point.
        """
        if self.y[0] <= level:
            return self.x[0]
        points = list(zip(self.x, self.y, strict=True))
        for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
            if y0 > level >= y1:
                return x0 + (x1 - x0) * (y0 - level) / (y0 - y1)
        return math.nan


def read(name: str, folder: str | Path, x: str, y: str) -> Curve:
    """Reads a run. An evaluation is written behind the report of its step, so it has the newest cost before it.

    Raises:
      SystemExit: The run has no such metrics; says which it has.
    """
    path = Path(folder, FILE)
    if not path.is_file():
        sys.exit(f"no {FILE} in {folder}; give name=FOLDER with the model_dir of a run")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    cost, curve = None, Curve(name, [], [])
    for row in rows:
        cost = row.get(x, cost)
        if cost is not None and row.get(y) is not None:
            curve.x.append(cost)
            curve.y.append(row[y])
    if not curve.y:
        known = sorted({key for row in rows for key in row})
        sys.exit(f"{path} has no {y} over {x}; it has {', '.join(known)}")
    return curve


def draw(curves: Sequence[Curve], x: str, y: str, out: Path) -> None:
    """Writes the picture in the format that the file's name says."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for curve in curves:
        axes.plot(curve.x, curve.y, marker=".", label=curve.name)
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    axes.legend()
    # Neither the day nor a random name in the file: the same numbers give the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "unified-io"}):
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def table(curves: Sequence[Curve], x: str, y: str, levels: Sequence[float]) -> str:
    """A line a level: what every run had spent, and how many times that of the first run."""
    lines = [f"| {y} below | " + " | ".join(f"{curve.name}, {x}" for curve in curves) + " |"]
    lines.append("|---" * (1 + len(curves)) + "|")
    for level in levels:
        spent = [curve.reached(level) for curve in curves]
        cells = [
            "not reached" if math.isnan(cost) else f"{cost:.0f} ({cost / spent[0]:.2f} x)" for cost in spent
        ]
        lines.append(f"| {level:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints where every curve ends, and the table; writes the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "runs", nargs="+", metavar="NAME=FOLDER", help="what to call a run, and its model_dir"
    )
    parser.add_argument("--x", default="cpu_seconds", help="what is spent: cpu_seconds, step, time")
    parser.add_argument("--y", default="eval/loss", help="what is reached")
    parser.add_argument("--below", type=float, nargs="*", default=[], help="levels of the table")
    parser.add_argument("--out", type=Path, help="an .svg, .png or .pdf file")
    args = parser.parse_args(argv)
    if wrong := [run for run in args.runs if "=" not in run]:
        parser.error(f"{wrong[0]!r} has no name; write NAME=FOLDER")
    curves = [read(*run.split("=", 1), args.x, args.y) for run in args.runs]
    for curve in curves:
        print(f"{curve.name}: {args.y} {curve.y[-1]:.4g} after {curve.x[-1]:.4g} {args.x}")
    if args.below:
        print(table(curves, args.x, args.y, args.below))
    if args.out:
        draw(curves, args.x, args.y, args.out)


if __name__ == "__main__":
    main()
