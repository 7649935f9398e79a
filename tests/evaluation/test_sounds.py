"""Spectrograms against true ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation.sounds import LOG_MEL, MULTI_LOG_MEL, audible, distance, distances

FLOOR = np.log(1e-5)


def _sound(seed, shape=(32, 16)):
    return np.random.default_rng(seed).normal(-3, 2, shape)


def test_silence_is_the_least_power():
    assert audible(np.array([[0.0, -3.0, -99.0]])).tolist() == [[FLOOR, -3.0, FLOOR]]
    assert distance(np.zeros((2, 2)), np.full((2, 2), -3.0)) == pytest.approx(-3.0 - FLOOR)
    assert distance(np.zeros((2, 2)), np.full((2, 2), FLOOR)) == 0.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_bounded_symmetric_and_zero_for_equals(seed):
    a, b = _sound(seed), _sound(seed + 1)
    for metric in (LOG_MEL, MULTI_LOG_MEL):
        found = metric.total([a], [b])
        assert 0.0 < found < metric.worst
        assert metric.total([b], [a]) == pytest.approx(found)
        assert metric.total([a], [a]) == metric.best
    assert LOG_MEL.total([np.full((8, 8), 20.0)], [np.full((8, 8), -20.0)]) == pytest.approx(LOG_MEL.worst)


def test_a_constant_gain_is_the_same_at_all_scales():
    a = _sound(0).clip(-9, 5)
    assert distance(a + 0.5, a) == pytest.approx(0.5)
    assert distances(a + 0.5, a) == pytest.approx(0.5)


def test_coarse_scales_forgive_a_shift_but_not_an_absence():
    click, late = np.full((32, 16), -10.0), np.full((32, 16), -10.0)
    click[8], late[9] = 0.5, 0.5
    none = np.full((32, 16), -10.0)
    assert distance(late, click) > distance(none, click)
    assert distances(late, click) < distances(none, click)


def test_refuses_other_shapes():
    with pytest.raises(DataError, match="want equal"):
        LOG_MEL.total([_sound(0)], [_sound(0, (16, 16))])
    with pytest.raises(DataError, match="8 or more"):
        distances(_sound(0, (4, 16)), _sound(0, (4, 16)))
    assert LOG_MEL.total([None], [_sound(0)]) == LOG_MEL.worst
    assert MULTI_LOG_MEL.total([None], [_sound(0)]) == MULTI_LOG_MEL.worst
