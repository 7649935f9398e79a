"""Maps of a picture, by hand and against the released evaluation restated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from unified_io.errors import DataError
from unified_io.evaluation import dense, masks, normals
from unified_io.evaluation.dense import (
    ABS_REL,
    BOUNDARY,
    DELTA,
    EPE,
    IOU,
    NORMALS,
    NORMALS_MEAN,
    NORMALS_MEDIAN,
    RMSE,
)


def _mask(y1, x1, y2, x2, size=40):
    found = np.zeros((size, size), bool)
    found[y1:y2, x1:x2] = True
    return found


def _room(seed, size=24):
    """Normals of four walls with a little noise."""
    rng = np.random.default_rng(seed)
    found = np.zeros((size, size, 3))
    found[: size // 2, : size // 2] = (0, 0, -1)
    found[: size // 2, size // 2 :] = (1, 0, 0)
    found[size // 2 :, : size // 2] = (0, -1, 0)
    found[size // 2 :, size // 2 :] = (0.6, 0, -0.8)
    return found + rng.normal(0, 0.02, found.shape)


# Masks


def test_mask_overlap():
    assert IOU.total([_mask(0, 0, 10, 20)], [_mask(0, 0, 10, 10)]) == 0.5
    assert IOU.total([_mask(0, 0, 9, 9).tolist()], [_mask(0, 0, 9, 9).tolist()]) == IOU.best
    assert IOU.total([_mask(0, 0, 0, 0)], [_mask(0, 0, 0, 0)]) == 1.0
    assert IOU.total([None], [_mask(0, 0, 9, 9)]) == IOU.worst
    with pytest.raises(DataError, match="reference has"):
        IOU.total([_mask(0, 0, 9, 9, 20)], [_mask(0, 0, 9, 9)])


def test_the_rim_is_a_fiftieth_of_the_diagonal_wide():
    # 100 x 100: the diagonal is 141, the rim 3 pixels; so of a square of 30 all but 24 x 24 remain.
    assert masks.rim(_mask(20, 20, 50, 50, 100)).sum() == 30 * 30 - 24 * 24
    # The picture's border is an edge: nothing of the rim is lost there.
    assert masks.rim(_mask(0, 0, 30, 30, 100)).sum() == 30 * 30 - 24 * 24
    assert masks.rim(_mask(4, 4, 6, 6, 8)).sum() == 4  # at least one pixel wide


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_the_rim_restated_by_distances(seed):
    rng = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(rng.normal(size=(60, 80)), 5) > 0
    far = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    np.testing.assert_array_equal(masks.rim(mask), mask & (far <= 2))  # 2 % of 100


def test_boundary_overlap_is_stricter_and_matches_several():
    true, near = _mask(5, 5, 35, 35), _mask(6, 6, 34, 34)
    assert BOUNDARY.total([true], [true]) == 1.0
    assert BOUNDARY.total([near], [true]) < IOU.total([near], [true])
    other = _mask(0, 36, 3, 40)
    assert BOUNDARY.total([[other, true]], [[true, other]]) == 1.0
    assert BOUNDARY.total([[true]], [[true, other]]) == 0.5
    assert BOUNDARY.total([[true, other]], [true]) == 0.5
    assert masks.boundary_iou([true, other], [true | other], merge=True) == 1.0
    assert BOUNDARY.total([None, [], _mask(0, 0, 0, 0)], [[], _mask(0, 0, 0, 0), None]) == 1.0
    assert BOUNDARY.total([None], [true]) == 0.0
    with pytest.raises(DataError, match="equal sizes"):
        BOUNDARY.total([_mask(0, 0, 9, 9, 20)], [true])


# Depth


def test_depth_by_hand():
    truth = np.array([[1.0, 2.0], [4.0, 0.0]])  # 0 is not known
    made = np.array([[1.0, 3.0], [2.0, 77.0]])
    assert RMSE.total([made], [truth]) == pytest.approx(np.sqrt((0 + 1 + 4) / 3))
    assert ABS_REL.total([made], [truth]) == pytest.approx((0 + 1 / 2 + 2 / 4) / 3)
    assert DELTA.total([made], [truth]) == pytest.approx(1 / 3)
    assert DELTA.total([truth * 1.2], [truth]) == 1.0
    for metric in (RMSE, ABS_REL, DELTA):
        assert metric.total([truth], [truth]) == metric.best
        assert metric.total([None], [truth]) == metric.worst
    assert np.isfinite(dense.depth_rmse(np.full((2, 2), np.nan), truth))


def test_refuses_depth_that_is_not_known():
    with pytest.raises(DataError, match="leave the example out"):
        RMSE.total([np.ones((2, 2))], [np.zeros((2, 2))])
    with pytest.raises(DataError, match="equal shapes"):
        RMSE.total([np.ones((2, 3))], [np.ones((2, 2))])


# Flow


def test_flow_by_hand():
    truth = np.zeros((2, 2, 2))
    truth[0, 0] = (3.0, 4.0)
    assert EPE.total([np.zeros((2, 2, 2))], [truth]) == pytest.approx(5 / 4)
    assert EPE.total([truth], [truth]) == EPE.best
    unknown = truth.copy()
    unknown[1] = np.nan
    assert EPE.total([np.zeros((2, 2, 2))], [unknown]) == pytest.approx(5 / 2)
    assert EPE.total([np.full((2, 2, 2), np.nan)], [truth]) == pytest.approx(5 / 4)
    assert EPE.total([None], [truth]) == EPE.worst
    with pytest.raises(DataError, match="leave the example out"):
        EPE.total([truth], [np.full((2, 2, 2), np.nan)])
    with pytest.raises(DataError, match="want equal"):
        EPE.total([truth[0]], [truth])


# Normals


def test_angles_by_hand():
    truth = np.zeros((1, 3, 3))
    truth[0, 0], truth[0, 1] = (0, 0, 1), (0, 0, 2)  # of any length; the last one is unknown
    made = np.zeros((1, 3, 3))
    made[0, 0], made[0, 1], made[0, 2] = (0, 1, 1), (0, 0, 5), (1, 0, 0)
    np.testing.assert_allclose(normals.angles(made, truth), [45.0, 0.0], atol=1e-6)
    assert NORMALS_MEAN.total([made], [truth]) == pytest.approx(22.5)
    assert NORMALS_MEDIAN.total([made], [truth]) == pytest.approx(22.5)
    assert normals.angles(None, truth).tolist() == [180.0, 180.0]
    with pytest.raises(DataError, match="leave the example out"):
        normals.angles(made, np.zeros((1, 3, 3)))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_a_turned_camera_is_forgiven_and_outliers_do_not_mislead(seed):
    truth = _room(seed)
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    made = truth @ turn.T
    made[:8] = np.random.default_rng(seed).normal(size=made[:8].shape)  # a third is nonsense
    found = NORMALS.total([made], [truth])
    assert 0.55 <= found <= 0.85
    assert NORMALS.total([truth], [truth]) == 1.0
    assert NORMALS.total([made], [truth]) == found  # the same every time
    assert found >= np.mean(normals.angles(made, truth) < normals.CLOSE) - 0.05


def test_a_ball_turned_is_all_right():
    ys, xs = np.mgrid[-1:1:30j, -1:1:30j]
    truth = np.stack([xs, ys, -np.ones_like(xs)], axis=-1)
    turn = Rotation.from_euler("xyz", [0.4, 0.3, -0.8]).as_matrix()
    assert np.mean(normals.angles(truth @ turn.T, truth) < normals.CLOSE) < 0.1
    assert NORMALS.total([truth @ turn.T], [truth]) == 1.0


def test_no_rotation_makes_a_mirrored_room_right():
    truth = _room(0)
    assert NORMALS.total([truth * (1, 1, -1)], [truth]) < 1.0


def test_edges_do_not_count():
    truth = np.zeros((6, 6, 3))
    truth[:, :3], truth[:, 3:] = (0, 0, 1), (1, 0, 0)
    found = normals.edges(truth)
    assert found[:, 2:4].all()
    assert found.sum() == 12
    made = truth.copy()
    made[:, 2:4] = (0, 1, 0)
    assert NORMALS.total([made], [truth]) == 1.0
    gentle = np.zeros((1, 3, 3))
    gentle[0] = [(0, 0, 1), (0, np.sin(0.6), np.cos(0.6)), (0, 0, 0)]  # 34°, and an unknown one
    assert not normals.edges(gentle).any()


def test_nothing_known_and_nothing_made():
    assert NORMALS.total([_room(0)], [np.zeros((24, 24, 3))]) == 1.0
    assert NORMALS.total([None], [_room(0)]) == NORMALS.worst
    assert NORMALS.total([np.zeros((24, 24, 3))], [_room(0)]) == NORMALS.worst
    with pytest.raises(DataError, match="want equal"):
        NORMALS.total([_room(0)[:5]], [_room(0)])


def test_grit_reads_its_pictures_in_its_own_way():
    rgb = np.array([[[0, 0, 0], [128, 128, 128], [201, 201, 201], [245, 122, 122]]])
    found = normals.read_grit(rgb)
    assert not found[0, :3].any()
    np.testing.assert_allclose(found[0, 3], [1.0, -0.004, -0.004], atol=1e-3)
