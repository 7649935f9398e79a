"""The report of a run that trains tokenizers or vocoders: scores, and what was real beside what was made."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unified_io.evaluation import environment, stats
from unified_io.evaluation.report import Gallery, Item, Report, Result, ScoreTable, Section, write

_CHANCE = 0.1  # ten digits, equally often


def write_page(
    folder: str,
    title: str,
    summary: str,
    results: Sequence[Result],
    items: Sequence[Item],
    facts: Mapping[str, Any],
) -> None:
    """Writes report.html and report.json, prints the scores and says where the page is.

    Args:
      folder: Where to.
      title: Of the page.
      summary: What was done, and what the scores mean.
      results: The scores.
      items: Real media beside made ones.
      facts: What else to say of the run, as JSON values.
    """
    known = {"versions": environment.versions(), "machine": environment.machine()}
    sections = (
        Section("Scores", "", (ScoreTable("scores", "", tuple(results)),)),
        Section("Real beside made", "", (Gallery("held out of training", tuple(items)),)),
    )
    page, _ = write(Report(title, summary, sections, facts={**facts, **known}), Path(folder))
    for result in results:
        print(f"{result.name:40} {result.show(result.score.score)}  [{result.show_interval()}]")
    print(f"report: {page}")


def understood(name: str, right: Sequence[bool], ceiling: float | None = None) -> Result:
    """How often a recogniser that learnt from real words reads the right digit."""
    score = stats.score(np.asarray(right, float))
    words = "accuracy of a recogniser that learnt from real words"
    return Result(f"{name}, understood", score, words, chance=_CHANCE, ceiling=ceiling)


def used(name: str, usage: Mapping[str, Any], n: int) -> list[Result]:
    """How a codebook is used, as `quantizer.code_usage` counts it over `n` media."""
    share, equal = (float(usage[key]) for key in ("usage", "perplexity"))
    return [
        Result(f"{name}, usage", stats.Score(share, (share, share), n), "codes used at all"),
        Result(
            f"{name}, perplexity", stats.Score(equal, (equal, equal), n), "codes, as if equally likely", ""
        ),
    ]


def spread(count: int, shown: int) -> list[int]:
    """Numbers of examples to show, spread over all."""
    return np.linspace(0, count - 1, min(shown, count)).astype(int).tolist()
