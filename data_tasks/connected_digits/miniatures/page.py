"""The results as a table in Markdown, put between two marks of a page whose other words are a person's."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from data_tasks.connected_digits.miniatures.bench import Outcome
from data_tasks.connected_digits.miniatures.experiments import EXPERIMENTS
from data_tasks.connected_digits.miniatures.record import Record
from unified_io.errors import DataError
from unified_io.evaluation.stats import score

BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def written(page: str, record: Record) -> str:
    """Returns a page with the results of a record between its marks.

    Raises:
      DataError: The page lacks a mark.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise DataError(f"the page needs the lines {BEGIN!r} and {END!r}, once each and in this order")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{tables(record)}\n{END}{after}"


def tables(record: Record) -> str:
    """Returns a table for every experiment of which there is a result."""
    parts = []
    for number, experiment in sorted(EXPERIMENTS.items()):
        lines = [line for arm in experiment.arms for line in _lines(arm, record.outcomes(number, arm))]
        if lines:
            head = ["| arm | measured | mean | each seed | n |", "|---|---|---|---|---|"]
            parts.append("\n".join([f"\n### {number}. {experiment.claim}\n", *head, *lines]))
    return "\n".join(parts)


def _lines(arm: str, outcomes: Mapping[int, Outcome]) -> Iterator[str]:
    seeds = [outcomes[seed] for seed in sorted(outcomes)]
    for name in seeds[0] if seeds else ():
        values = [outcome[name] for outcome in seeds if outcome[name]]
        if values:
            yield f"| {arm} | {name} | {_cells(values)} |"


def _cells(seeds: Sequence[Sequence[float]]) -> str:
    """The mean with its interval where questions were counted, the mean of every seed, and how many questions."""
    means = [float(np.mean(values)) for values in seeds]
    if max(map(len, seeds)) == 1:
        return f"{_number(float(np.mean(means)))} | {', '.join(map(_number, means))} | "
    together = score(np.concatenate(seeds))
    low, high = together.interval
    return (
        f"{100 * together.score:.1f} % [{100 * low:.1f}, {100 * high:.1f}] | "
        f"{', '.join(f'{100 * mean:.1f}' for mean in means)} | {together.n}"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.4f}"
