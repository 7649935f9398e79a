"""The page of an evaluation: scores, and examples with what went in, what came out and what was expected."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unified_io.evaluation import environment, panels
from unified_io.evaluation.evaluator import Outcome
from unified_io.evaluation.ledger import Shown
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.report import Gallery, Item, Report, Result, ScoreTable, Section, write
from unified_io.evaluation.stats import Score
from unified_io.mel import MelConfig

KEY = "tasks"


def write_page(
    outcomes: Sequence[Outcome], folder: Path, sounds: MelConfig, facts: Mapping[str, Any]
) -> Path:
    """Writes report.html and report.json into a folder and returns the page's path.

    Args:
      outcomes: What came of every task.
      folder: Made if need be.
      sounds: How the model's spectrograms are taken.
      facts: What else to say of the evaluation, as JSON values.
    """
    sections = tuple(_section(outcome, sounds) for outcome in outcomes)
    count = f"{len(outcomes)} task" + "s" * (len(outcomes) != 1)
    summary = f"Scores of {count} with 95 % bootstrap intervals over examples, and examples spread over each."
    known = {"versions": environment.versions(), "machine": environment.machine()}
    page, _ = write(Report("Evaluation", summary, sections, facts={**facts, **known}), folder)
    return page


def sounds_of(config: Any) -> MelConfig:
    """Returns how a model's spectrograms are taken; where it has no sound, the usual way."""
    modalities = (*config.targets, *config.inputs)
    owners = (*modalities, *(getattr(m, "front", None) for m in modalities))
    found = [owner.mel for owner in owners if isinstance(getattr(owner, "mel", None), MelConfig)]
    return found[0] if found else MelConfig()


def _section(outcome: Outcome, sounds: MelConfig) -> Section:
    results = tuple(
        _result(f"{outcome.task}, {metric.name}", metric, outcome.scores[metric.name])
        for metric in outcome.metrics
    )
    items = tuple(_item(outcome, shown, sounds) for shown in outcome.shown)
    known = ", ".join(f"{name} {mark.short}" for name, mark in outcome.fingerprints.items())
    note = f"Split {outcome.split}. Fingerprints: {known}."
    bad = (
        f" {len(outcome.bad)} examples could not be read, the first: {outcome.bad[0]}" if outcome.bad else ""
    )
    return Section(
        outcome.task, note + bad, (ScoreTable(KEY, "", results), Gallery(f"{outcome.task}, examples", items))
    )


def _result(name: str, metric: Metric, score: Score) -> Result:
    share = {metric.best, metric.worst} == {0.0, 1.0}
    better = "higher" if metric.best > metric.worst else "lower"
    return Result(name, score, metric.name, unit="%" if share else "", better=better)


def _item(outcome: Outcome, shown: Shown, sounds: MelConfig) -> Item:
    example, written = shown.example, panels.boxes(shown.answer)
    true = panels.boxes(example.get(outcome.field), truth=True)
    first = outcome.metrics[0]
    value = shown.scores.get(first.name)
    scores = ", ".join(f"{name} {number:.3g}" for name, number in shown.scores.items())
    return Item(
        panels.inputs(example, sounds, written + true),
        panels.answer(outcome.field, shown.answer, sounds),
        panels.targets(example, sounds),
        caption=f"{example.get('meta/id', '')} {scores}".strip(),
        correct=None if value is None or value not in (first.best, first.worst) else value == first.best,
    )
