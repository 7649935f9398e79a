"""Fréchet distances against closed forms, and the two scores of a classifier's probabilities."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation.frechet import distance, divergence, frechet, gaussian, inception_score

SEEDS = st.integers(0, 10**6)


def _gaussian(rng, size=4):
    half = rng.normal(size=(size, size))
    return rng.normal(size=size), half @ half.T


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.lists(st.floats(0, 3), min_size=4, max_size=4))
def test_independent_features_have_a_closed_form(means, spreads):
    first = np.array(means[:2]), np.diag(np.square(spreads[:2]))
    second = np.array(means[2:]), np.diag(np.square(spreads[2:]))
    wanted = np.sum(
        np.square(np.subtract(means[:2], means[2:])) + np.square(np.subtract(spreads[:2], spreads[2:]))
    )
    assert distance(first, second) == pytest.approx(wanted, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_against_the_root_of_a_matrix(seed):
    rng = np.random.default_rng(seed)
    (m, c), (n, d) = _gaussian(rng), _gaussian(rng)
    root = scipy.linalg.sqrtm(c @ d)
    wanted = np.sum((m - n) ** 2) + np.trace(c + d - 2 * root.real)
    assert distance((m, c), (n, d)) == pytest.approx(wanted, rel=1e-5)
    assert distance((n, d), (m, c)) == pytest.approx(wanted, rel=1e-5)
    assert distance((m, c), (m, c)) == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_turning_all_features_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    a, b = rng.normal(size=(30, 4)), rng.normal(1.0, 2.0, (30, 4))
    found = distance(gaussian(a), gaussian(b))
    assert distance(gaussian(a @ turn), gaussian(b @ turn)) == pytest.approx(found)


def test_more_features_than_examples():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(5, 20))
    assert distance(gaussian(a), gaussian(a)) == pytest.approx(0.0, abs=1e-6)
    assert distance(gaussian(a), gaussian(a + 1.0)) == pytest.approx(20.0)


def test_the_metric_carries_the_name_of_its_embedder():
    seen = []

    def embed(pictures):
        seen.append(len(pictures))
        return np.stack([np.mean(picture, axis=(0, 1)) for picture in pictures])

    metric = frechet("colour", embed)
    assert metric.name == "frechet_colour"
    rng = np.random.default_rng(0)
    true = [rng.random((4, 4, 3)) for _ in range(12)]
    assert metric.total(true, true[::-1]) == pytest.approx(metric.best, abs=1e-9)
    brighter = [picture + 1.0 for picture in true]
    seen.clear()
    found = metric.score(brighter, true)
    assert seen == [12, 12]  # once each, whatever is resampled
    assert found.score == pytest.approx(3.0)
    assert found.interval[0] <= found.interval[1]


def test_divergence_by_hand():
    made, true = [[0.5, 0.5]], [[0.75, 0.25]]
    assert divergence(made, true) == pytest.approx(0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    assert divergence(true, true) == 0.0
    assert divergence([[1.0, 0.0]], [[0.0, 1.0]]) == pytest.approx(np.log(1e12))  # kept finite
    assert divergence([[0.0, 1.0]], [[0.0, 1.0]]) == 0.0


def test_inception_score_lies_between_one_and_the_classes():
    assert inception_score(np.eye(5)) == pytest.approx(5.0)
    assert inception_score(np.full((7, 5), 0.2)) == pytest.approx(1.0)
    assert inception_score([[1.0, 0.0]] * 4) == pytest.approx(1.0)
    drawn = np.random.default_rng(0).dirichlet(np.ones(5), 50)
    assert 1.0 < inception_score(drawn) < 5.0


def test_refuses_what_is_none():
    with pytest.raises(DataError, match="two examples"):
        gaussian(np.zeros((1, 4)))
    with pytest.raises(DataError, match="finite"):
        gaussian(np.full((3, 4), np.nan))
    with pytest.raises(DataError, match="one network"):
        distance(gaussian(np.eye(3)), gaussian(np.eye(4)))
    with pytest.raises(DataError, match="sum to 1"):
        inception_score([[0.5, 0.6]])
    with pytest.raises(DataError, match="one row each"):
        divergence([[0.5, 0.5]], [[0.2, 0.3, 0.5]])
