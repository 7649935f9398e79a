"""The report as strict JSON, and both files on the disk."""

import contextlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unified_io.errors import DataError
from unified_io.evaluation.report.exhibits import Chart, Gallery, Table
from unified_io.evaluation.report.outline import Report
from unified_io.evaluation.report.page import to_html
from unified_io.evaluation.report.results import Result, verdict

_DIGITS = 6  # significant digits of every float


def to_json(report: Report) -> dict[str, Any]:
    """Returns the report as plain values: score tables by their key, facts at the top level, then the rest.

        {"title": …, "summary": …, "overall": {…},
         "pairs": {"image->text": {"score": …, "interval": […], …}}, …, "wall_seconds": …, …,
         "charts": {…}, "tables": {…}, "galleries": {…}}

    Floats have six significant digits. A gap in a chart is null; any other number that is not finite raises.

    Raises:
      DataError: A value is not finite or not a plain value; the message says where.
    """
    scores = report.scores()
    parts = list(report.all_parts())
    goals = [result for result in report.results() if result.goal is not None]
    document = {
        "title": report.title,
        "summary": report.summary,
        "overall": {
            "goals": len(goals),
            "goals_reached": sum(bool(verdict(result).reached) for result in goals),
            "normalised_mean": report.normalised_mean(),
        },
        **{key: {name: _result(result) for name, result in group.items()} for key, group in scores.items()},
        **report.facts,
        "charts": {part.title: _chart(part) for part in parts if isinstance(part, Chart)},
        "tables": {
            part.title: {"columns": part.columns, "rows": part.rows}
            for part in parts
            if isinstance(part, Table)
        },
        "galleries": {
            part.title: [{"caption": item.caption, "correct": item.correct} for item in part.items]
            for part in parts
            if isinstance(part, Gallery)
        },
    }
    return _plain(document, "report")


def write(report: Report, folder: str | Path) -> tuple[Path, Path]:
    """Writes report.html and report.json into `folder`, each whole or not at all, and returns their paths."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    page = to_html(report)
    data = json.dumps(to_json(report), allow_nan=False, ensure_ascii=False, indent=1)
    paths = place / "report.html", place / "report.json"
    for path, text in zip(paths, (page, data + "\n"), strict=True):
        _write_whole(path, text)
    return paths


def _write_whole(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # a temporary file is private; a report is to be read
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _result(result: Result) -> dict[str, Any]:
    found = verdict(result)
    return {
        "score": result.score.score,
        "interval": list(result.score.interval),
        "n": result.score.n,
        "metric": result.metric,
        "unit": "share" if result.unit == "%" else result.unit,
        "better": result.better,
        "chance": result.chance,
        "floor": result.floor,
        "ceiling": result.ceiling,
        "goal": result.goal,
        "reached": found.reached,
        "verdict": found.sentence,
        "note": result.note,
    }


def _chart(chart: Chart) -> dict[str, Any]:
    series = {line.name: line.thinned() for line in chart.series}
    return {
        "x_label": chart.x_label,
        "y_label": chart.y_label,
        "series": {
            name: {"x": x.tolist(), "y": [value if math.isfinite(value) else None for value in y.tolist()]}
            for name, (x, y) in series.items()
        },
    }


def _plain(value: Any, where: str) -> Any:
    """Returns the value with floats rounded, arrays as lists and keys as strings."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), where)
    if isinstance(value, list | tuple):
        return [_plain(entry, f"{where}[{index}]") for index, entry in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DataError(f"{where} is {value}; JSON has no such number, leave it out or give None")
        return float(f"{value:.{_DIGITS}g}")
    if value is None or isinstance(value, str | bool | int):
        return value
    raise DataError(f"{where} is a {type(value).__name__}; want plain values, lists and mappings")
