"""Sounds taken apart, and notes."""

import sys

import numpy as np
import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.separation import NOTE_F1, ONSET_F1, SDR, distortion_ratio

pytest.importorskip("mir_eval")


def _sources(seed=0):
    return np.random.default_rng(seed).normal(size=(2, 2000))


def test_the_ratio_is_that_of_what_was_put_in():
    true = _sources()
    noisy = true + 0.1 * np.random.default_rng(1).normal(size=true.shape)
    # The library lets a filter of 512 taps pass as the source, which helps a noisy one by a little.
    assert distortion_ratio(noisy[0], true[0]) == pytest.approx(20.0, abs=2.5)
    assert SDR.total([true[0]], [true[0]]) > 60.0


def test_sources_may_come_in_any_order():
    true = _sources()[:, :1200]
    assert distortion_ratio(true[::-1], true) > 60.0


def test_onsets_within_fifty_milliseconds():
    assert ONSET_F1.total([[1.0, 2.0]], [[1.04, 2.06, 3.0]]) == pytest.approx(
        2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3)
    )
    assert ONSET_F1.total([[2.0, 1.0]], [[1.0, 2.0]]) == 1.0
    assert ONSET_F1.total([[], [1.0], None], [[], [], [1.0]]) == pytest.approx(1 / 3)


def test_notes_with_start_and_pitch():
    true = [(0.0, 0.5, 440.0), (1.0, 1.5, 523.25)]
    assert NOTE_F1.total([true], [true]) == 1.0
    assert NOTE_F1.total([[(0.0, 0.9, 440.0), (1.0, 1.5, 600.0)]], [true]) == 0.5
    assert NOTE_F1.total([[], None], [[], true]) == 0.5
    with pytest.raises(DataError, match="behind the start"):
        NOTE_F1.total([[(1.0, 1.0, 440.0)]], [true])


def test_refuses_silence_and_other_shapes():
    with pytest.raises(DataError, match="none of them silent"):
        distortion_ratio(np.zeros((2, 100)), _sources()[:, :100])
    with pytest.raises(DataError, match="want equal"):
        distortion_ratio(_sources(), _sources()[:1])


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mir_eval", None)
    monkeypatch.setitem(sys.modules, "mir_eval.onset", None)
    with pytest.raises(ConfigError, match=r"unified-io\[metrics\]"):
        ONSET_F1.total([[1.0]], [[1.0]])
