"""The table of an evaluation as JSON and Markdown, and two of them side by side."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.evaluator import Outcome
from unified_io.evaluation.fingerprint import difference, from_json

JSON_FILE, MARKDOWN_FILE = "results.json", "results.md"
_ALIKE = "the intervals overlap"


def as_json(outcomes: Sequence[Outcome], weights: str = "") -> dict[str, Any]:
    """Returns all that is known of scores as JSON values; `compare` reads it."""
    return {"weights": weights, "tasks": {outcome.task: _row(outcome) for outcome in outcomes}}


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Returns a table: a line a task and metric."""
    lines = [
        "| task | metric | score | 95 % interval | n | fingerprint |",
        "|---|---|---:|---|---:|---|",
    ]
    for outcome in outcomes:
        for metric in outcome.metrics:
            score = outcome.scores[metric.name]
            low, high = score.interval
            lines.append(
                f"| {outcome.task} | {metric.name} | {score.score:.4g} | {low:.4g} to {high:.4g} | {score.n} "
                f"| {outcome.fingerprints[metric.name].short} |"
            )
    bad = [f"* {outcome.task}: {reason}" for outcome in outcomes for reason in outcome.bad]
    return "\n".join([*lines, *(["", "Left out, because they can not be read:", "", *bad] if bad else [])])


def write(outcomes: Sequence[Outcome], folder: Path, weights: str = "") -> None:
    """Writes the table into a folder in both forms."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_json(outcomes, weights), indent=1, ensure_ascii=False)
    (folder / JSON_FILE).write_text(text + "\n", encoding="utf-8")
    (folder / MARKDOWN_FILE).write_text(as_markdown(outcomes) + "\n", encoding="utf-8")


def compare(first: Path, second: Path) -> str:
    """Returns the scores of the tasks that two evaluations share, as a Markdown table with the differences.

    Args:
      first: A results.json, or the folder that holds it.
      second: Likewise.

    Raises:
      ConfigError: They share no task, or a task was not run in the same way in both; says in what it differs.
      DataError: A file can not be read.
    """
    mine, yours = _read(first), _read(second)
    if not (shared := [task for task in mine if task in yours]):
        raise ConfigError(
            f"nothing to compare: {first} has {', '.join(mine) or 'no task'}, {second} has "
            f"{', '.join(yours) or 'no task'}"
        )
    metrics = {task: (mine[task]["metrics"], yours[task]["metrics"]) for task in shared}
    if unequal := {task: said for task, both in metrics.items() if (said := _differences(*both))}:
        reasons = "".join(f"\n  {task}: {'; '.join(said)}" for task, said in unequal.items())
        raise ConfigError(
            f"these scores were not taken in the same way and can not be compared; evaluate again alike:{reasons}"
        )
    lines = ["| task | metric | first | second | difference | |", "|---|---|---:|---:|---:|---|"]
    for task in shared:
        ours, theirs = metrics[task]
        lines += [_compared(task, name, score, theirs[name]) for name, score in ours.items()]
    alone = sorted({*mine} ^ {*yours})
    return "\n".join([*lines, *(["", f"In one of them only: {', '.join(alone)}."] if alone else [])])


def _row(outcome: Outcome) -> dict[str, Any]:
    metrics = {
        metric.name: {
            **dataclasses.asdict(outcome.scores[metric.name]),
            "best": metric.best,
            "worst": metric.worst,
            "fingerprint": dataclasses.asdict(outcome.fingerprints[metric.name]),
        }
        for metric in outcome.metrics
    }
    return {
        "split": outcome.split,
        "n": next(iter(outcome.scores.values())).n,
        "metrics": metrics,
        "bad": list(outcome.bad),
    }


def _read(path: Path) -> dict[str, Any]:
    path = path / JSON_FILE if path.is_dir() else path
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))["tasks"]
        for row in tasks.values():
            for score in row["metrics"].values():
                score["fingerprint"] = from_json(json.dumps(score["fingerprint"]))
        return tasks
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} holds no scores ({error}); give a {JSON_FILE} that `unified-io eval --tasks=…` wrote"
        ) from error


def _differences(mine: Mapping[str, Any], yours: Mapping[str, Any]) -> list[str]:
    if mine.keys() != yours.keys():
        return [f"judged by {', '.join(mine)} in the first, {', '.join(yours)} in the second"]
    found = [difference(mine[name]["fingerprint"], yours[name]["fingerprint"]) for name in mine]
    return list(dict.fromkeys(line for lines in found for line in lines))


def _compared(task: str, name: str, mine: Mapping[str, Any], yours: Mapping[str, Any]) -> str:
    apart = yours["score"] - mine["score"]
    overlap = mine["interval"][0] <= yours["interval"][1] and yours["interval"][0] <= mine["interval"][1]
    upwards = mine["best"] > mine["worst"]
    better = "second" if (apart > 0) == upwards else "first"
    word = _ALIKE if overlap else f"{better} is better"
    return f"| {task} | {name} | {mine['score']:.4g} | {yours['score']:.4g} | {apart:+.4g} | {word} |"
