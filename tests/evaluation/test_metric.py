"""A metric gives one number, an interval around it, and refuses what can not be scored."""

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean, Whole


def test_a_mean_over_examples():
    metric = Mean("right")
    assert metric.values([1, 2, 3], [1, 0, 3]).tolist() == [1.0, 0.0, 1.0]
    found = metric.score([1, 2, 3], [1, 0, 3])
    assert found.score == pytest.approx(2 / 3) == metric.total([1, 2, 3], [1, 0, 3])
    assert found.n == 3
    assert found.interval[0] <= found.score <= found.interval[1]


def test_a_whole_is_no_mean_of_its_parts():
    rate = Whole("rate", all=lambda made, true: sum(made) / sum(true))
    assert rate.total([1, 1], [1, 9]) == 0.2
    low, high = rate.score([1, 1], [1, 9]).interval
    assert (low, high) == (pytest.approx(1 / 9), 1.0)


def test_what_is_prepared_is_done_once_and_changes_nothing():
    calls = []

    def prepare(made, true):
        calls.append(len(made))
        return [m * 2 for m in made], true

    def ratio(made, true):
        return sum(made) / sum(true)

    plain = Whole("ratio", all=lambda made, true: 2 * sum(made) / sum(true))
    prepared = Whole("ratio", all=ratio, prepare=prepare)
    rng = np.random.default_rng(0)
    made, true = rng.random(20).tolist(), (1 + rng.random(20)).tolist()
    assert prepared.total(made, true) == pytest.approx(plain.total(made, true))
    calls.clear()
    ours, theirs = prepared.score(made, true, seed=3), plain.score(made, true, seed=3)
    assert calls == [20]
    assert ours.score == pytest.approx(theirs.score)
    np.testing.assert_allclose(ours.interval, theirs.interval)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    rate = Whole("rate", all=lambda made, true: float(np.mean(made)))
    rng = np.random.default_rng(5)
    inside = 0
    for trial in range(60):
        values = rng.random(80) < 0.7
        low, high = rate.score(values, values, seed=trial).interval
        inside += low <= 0.7 <= high
    assert inside >= 50


def test_the_same_seed_gives_the_same_interval():
    metric = Whole("mean", all=lambda made, true: float(np.mean(made)))
    values = np.arange(10.0)
    assert metric.score(values, values, seed=1) == metric.score(values, values, seed=1)
    assert metric.score(values, values, seed=1).interval != metric.score(values, values, seed=2).interval


@pytest.mark.parametrize("metric", [Mean("m"), Whole("w")])
def test_refuses_none_and_too_few(metric):
    with pytest.raises(DataError, match="at least one"):
        metric.total([], [])
    with pytest.raises(DataError, match="want one each"):
        metric.score([1], [1, 2])
