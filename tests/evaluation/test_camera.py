"""Cameras against true ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from unified_io.errors import DataError
from unified_io.evaluation.camera import ANGLE, RADIUS, angle_error

CAMERAS = st.tuples(st.floats(0.1, 3.0), st.floats(-3.1, 3.1), st.floats(0.5, 3.0))


def test_by_hand():
    level = (np.pi / 2, 0.0, 2.0)
    assert ANGLE.total([(np.pi / 2, 0.3, 2.0)], [level]) == pytest.approx(0.3)
    assert ANGLE.total([(np.pi / 2 - 0.3, 0.0, 2.0)], [level]) == pytest.approx(0.3)
    assert ANGLE.total([(np.pi / 2, np.pi, 2.0)], [level]) == pytest.approx(ANGLE.worst)
    assert RADIUS.total([(0.0, 0.0, 1.5)], [level]) == pytest.approx(0.5)
    assert ANGLE.total([None], [level]) == ANGLE.worst
    assert RADIUS.total([None], [level]) == RADIUS.worst


@given(CAMERAS, CAMERAS)
def test_against_the_rotation_between_them(first, second):
    a, b = (Rotation.from_euler("ZY", [phi, theta]).apply([0, 0, 1]) for theta, phi, _ in (first, second))
    wanted = np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
    assert angle_error(first, second) == pytest.approx(wanted, abs=1e-6)


@given(CAMERAS)
def test_a_full_turn_changes_nothing(camera):
    theta, phi, r = camera
    assert angle_error((theta, phi + 2 * np.pi, r), camera) == pytest.approx(0.0, abs=1e-9)


def test_a_small_error_is_seen():
    assert angle_error((np.pi / 2, 1e-9, 1.0), (np.pi / 2, 0.0, 1.0)) == pytest.approx(1e-9)


def test_refuses_what_is_no_camera():
    with pytest.raises(DataError, match="theta, phi, r"):
        ANGLE.total([(0.0, 1.0)], [(0.0, 1.0, 2.0)])
    with pytest.raises(DataError, match="theta, phi, r"):
        RADIUS.total([(0.0, 1.0, np.nan)], [(0.0, 1.0, 2.0)])
