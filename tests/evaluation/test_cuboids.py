"""The exact overlap of cuboids against closed forms and against thrown points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from unified_io.errors import DataError
from unified_io.evaluation.cuboids import AP3D, AP3D_15, AP3D_25, AP3D_50, IOU3D, corners, iou

SEEDS = st.integers(0, 10**6)


def _cuboid(center=(0.0, 0.0, 4.0), dims=(1.0, 1.0, 1.0), rotation=None, name="box"):
    turned = np.eye(3) if rotation is None else rotation
    return {"center": list(center), "dims": list(dims), "rotation": np.asarray(turned).tolist(), "name": name}


def _drawn(rng, spread=0.5):
    return _cuboid(rng.normal(0, spread, 3), rng.uniform(0.4, 2.0, 3), Rotation.random(rng=rng).as_matrix())


def test_width_height_and_length_have_their_axes():
    found = np.array(corners(_cuboid((0, 0, 0), (1.0, 2.0, 3.0))))
    np.testing.assert_allclose(np.ptp(found, axis=0), [3.0, 2.0, 1.0])
    quarter = Rotation.from_euler("y", 90, degrees=True).as_matrix()
    np.testing.assert_allclose(np.ptp(corners(_cuboid((0, 0, 0), (1, 2, 3), quarter)), axis=0), [1, 2, 3])


@given(
    st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3),
    st.lists(st.floats(0.2, 2.0), min_size=6, max_size=6),
)
def test_unturned_cuboids_have_a_closed_form(shift, sizes):
    first, second = _cuboid((0, 0, 0), sizes[:3]), _cuboid(shift, sizes[3:])
    a, b = np.array(sizes[2::-1]) / 2, np.array(sizes[:2:-1]) / 2
    sides = np.minimum(a, np.array(shift) + b) - np.maximum(-a, np.array(shift) - b)
    common = np.prod(sides.clip(min=0))
    wanted = common / (np.prod(2 * a) + np.prod(2 * b) - common)
    assert iou(first, second) == pytest.approx(wanted, abs=1e-6)


def test_a_turned_cube_has_a_closed_form():
    # Two unit squares, one turned by 45°, share a regular octagon of area 2 (sqrt 2 - 1).
    turned = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    common = 2 * (np.sqrt(2) - 1)
    assert iou(_cuboid(), _cuboid(rotation=turned)) == pytest.approx(common / (2 - common))


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_against_thrown_points(seed):
    rng = np.random.default_rng(seed)
    first, second = _drawn(rng), _drawn(rng)
    points = (rng.random((60_000, 3)) - 0.5) * np.array(first["dims"])[::-1]
    world = points @ np.array(first["rotation"]).T + first["center"]
    own = (world - second["center"]) @ np.array(second["rotation"])
    share = np.mean((np.abs(own) <= np.array(second["dims"])[::-1] / 2).all(axis=1))
    volumes = np.prod(first["dims"]), np.prod(second["dims"])
    common = share * volumes[0]
    assert iou(first, second) == pytest.approx(common / (sum(volumes) - common), abs=0.02)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_symmetric_bounded_the_same_from_elsewhere_and_one_for_itself(seed):
    rng = np.random.default_rng(seed)
    first, second = _drawn(rng), _drawn(rng)
    found = iou(first, second)
    assert 0.0 <= found <= 1.0
    assert iou(second, first) == pytest.approx(found, abs=1e-6)
    assert iou(first, first) == pytest.approx(1.0)
    turn, shift = Rotation.random(rng=rng).as_matrix(), rng.normal(0, 5, 3)
    moved = [
        {**c, "center": turn @ c["center"] + shift, "rotation": turn @ np.array(c["rotation"])}
        for c in (first, second)
    ]
    assert iou(*moved) == pytest.approx(found, abs=1e-6)


def test_touching_flat_far_and_inside():
    assert iou(_cuboid(), _cuboid((1.0, 0.0, 4.0))) == pytest.approx(0.0, abs=1e-6)
    assert iou(_cuboid(), _cuboid((9.0, 0.0, 4.0))) == 0.0
    assert iou(_cuboid(), _cuboid(dims=(0.0, 1.0, 1.0))) == 0.0
    assert iou(_cuboid(), _cuboid(dims=(0.5, 0.5, 0.5))) == pytest.approx(0.125)


def test_average_precision():
    truth = [[_cuboid(), _cuboid((3.0, 0.0, 4.0), name="cup")]]
    assert AP3D.total(truth, truth) == 1.0
    assert AP3D.total([[]], truth) == 0.0
    assert AP3D.total([None], [[]]) == 1.0
    # Moved by a third: IoU is a half, to within rounding below it.
    moved = [[_cuboid((0.34, 0.0, 4.0)), truth[0][1]]]
    assert AP3D_15.total(moved, truth) == AP3D_25.total(moved, truth) == 1.0
    assert AP3D_50.total(moved, truth) == 0.5
    assert AP3D.total(moved, truth) == pytest.approx((9 * 1.0 + 0.5) / 10)
    assert AP3D.total([[{**c, "name": "dog"} for c in truth[0]]], truth) == 0.0


def test_the_score_ranks():
    truth = [[_cuboid()]]
    far = _cuboid((9.0, 0.0, 4.0))
    assert AP3D.total([[far, _cuboid()]], truth) == pytest.approx(0.5)
    assert AP3D.total([[{**far, "score": 0.1}, {**_cuboid(), "score": 0.9}]], truth) == 1.0


def test_a_cuboid_that_can_not_be_is_wrong_but_a_truth_must_be_right():
    impossible = _cuboid(dims=(-1.0, 1.0, 1.0))
    assert IOU3D.total([[impossible], [], [_cuboid()]], [[_cuboid()]] * 3) == pytest.approx(1 / 3)
    with pytest.raises(DataError, match="w, h, l"):
        AP3D.total([[_cuboid()]], [[impossible]])
    with pytest.raises(DataError, match="orthonormal"):
        iou(_cuboid(), _cuboid(rotation=np.ones((3, 3))))
    with pytest.raises(DataError, match="leave the example out"):
        IOU3D.total([[_cuboid()]], [[]])
