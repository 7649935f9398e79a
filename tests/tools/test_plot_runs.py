"""Curves of runs: read from their records, crossed where they cross, drawn the same every time."""

import json
import math

import plot_runs
import pytest


@pytest.fixture
def runs(tmp_path):
    """Two runs with straight losses: one falls by 1 every 10 seconds, the other every 40."""
    for name, seconds in (("fast", 10.0), ("slow", 40.0)):
        rows = [{"step": 0, "other": 1.0}]
        for step in range(1, 5):
            rows.append({"step": step, "cpu_seconds": seconds * step, "loss": 1.0})
            rows.append({"step": step, "eval/loss": 5.0 - step})
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [f"{name}={tmp_path / name}" for name in ("fast", "slow")]


def test_an_evaluation_has_the_cost_of_the_report_before_it(runs):
    curve = plot_runs.read(*runs[0].split("="), "cpu_seconds", "eval/loss")
    assert (curve.x, curve.y) == ([10.0, 20.0, 30.0, 40.0], [4.0, 3.0, 2.0, 1.0])
    assert curve.reached(2.5) == pytest.approx(25.0)
    assert math.isnan(curve.reached(0.5))
    assert curve.reached(4.5) == 10.0


def test_the_table_compares_with_the_first_run(runs, capsys):
    plot_runs.main([*runs, "--below", "2.5", "0.5"])
    printed = capsys.readouterr().out
    assert "| 2.5 | 25 (1.00 x) | 100 (4.00 x) |" in printed
    assert "| 0.5 | not reached | not reached |" in printed


def test_the_same_runs_give_the_same_picture(runs, tmp_path):
    pictures = []
    for name in ("a.svg", "b.svg"):
        plot_runs.main([*runs, "--out", str(tmp_path / name)])
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1] and pictures[0].lstrip().startswith(b"<?xml")


def test_a_metric_that_is_not_there_is_named(runs):
    with pytest.raises(SystemExit, match=r"no accuracy over cpu_seconds; it has .*eval/loss"):
        plot_runs.main([*runs, "--y", "accuracy"])
    with pytest.raises(SystemExit, match=r"no train.jsonl in elsewhere"):
        plot_runs.main(["a=elsewhere"])
