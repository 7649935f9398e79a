"""The bootstrap covers what it should, and refuses what it can not average."""

import numpy as np
import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation import stats


def test_interval_agrees_with_the_normal_approximation():
    values = np.repeat([1.0, 0.0], [720, 180])
    low, high = stats.bootstrap_interval(values)
    spread = 1.96 * np.sqrt(0.8 * 0.2 / 900)
    np.testing.assert_allclose((low, high), (0.8 - spread, 0.8 + spread), atol=0.004)


def test_interval_covers_the_true_mean_as_often_as_promised():
    generator = np.random.default_rng(7)
    intervals = [
        stats.bootstrap_interval(generator.random(150) < 0.7, samples=400, seed=trial) for trial in range(200)
    ]
    covered = np.mean([low <= 0.7 <= high for low, high in intervals])
    assert 0.89 <= covered <= 0.99


def test_wider_level_wider_interval_and_same_seed_same_interval():
    values = np.arange(50.0)
    narrow, wide = stats.bootstrap_interval(values, level=0.5), stats.bootstrap_interval(values, level=0.99)
    assert wide[0] < narrow[0] < values.mean() < narrow[1] < wide[1]
    assert stats.bootstrap_interval(values, seed=3) == stats.bootstrap_interval(values, seed=3)
    assert stats.bootstrap_interval(values, seed=3) != stats.bootstrap_interval(values, seed=4)


def test_drawing_in_blocks_gives_every_sample(monkeypatch):
    values = np.random.default_rng(0).normal(size=60)
    whole = stats.bootstrap_interval(values, samples=500)
    monkeypatch.setattr(stats, "_DRAWN_AT_ONCE", 60 * 7)
    np.testing.assert_allclose(stats.bootstrap_interval(values, samples=500), whole, atol=0.05)


def test_score_of_equal_values():
    assert stats.score([1.0] * 5) == stats.Score(1.0, (1.0, 1.0), 5)
    assert stats.score([0.25]) == stats.Score(0.25, (0.25, 0.25), 1)


@pytest.mark.parametrize("values", [[], [0.5, np.nan], [np.inf], [[0.0], [1.0]]])
def test_refuses_what_has_no_mean(values):
    with pytest.raises(DataError):
        stats.score(values)


def test_refuses_a_level_of_no_meaning():
    with pytest.raises(ConfigError):
        stats.bootstrap_interval([1.0], level=95)


def test_normalised():
    assert stats.normalised(0.1, 0.1, 0.9) == 0.0
    assert stats.normalised(0.9, 0.1, 0.9) == 1.0
    assert stats.normalised(0.05, 0.1, 0.6) == pytest.approx(-0.1)
    with pytest.raises(ConfigError):
        stats.normalised(0.5, 0.9, 0.9)
