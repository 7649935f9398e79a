"""Cuboids as twelve numbers: by hand, there and back, and what bins cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from unified_io.cuboids import DEPTH, NUMBERS, SIZE, cuboids_to_text, text_to_cuboids, writable
from unified_io.errors import DataError
from unified_io.evaluation.cuboids import iou
from unified_io.structures import text_to_values
from unified_io.vocab import location_word

SQUARE = np.array([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])


def thing(center, dims, turn):
    return {"center": center, "dims": dims, "rotation": Rotation.from_rotvec(turn).as_matrix()}


def test_a_cuboid_straight_ahead_by_hand():
    """u and v in the middle of their range, the depth 2 m / the focal length, unturned: 1 0 0 and 0 1 0."""
    text = cuboids_to_text([[0, 0, 2.0]], [[0.5, 1.0, 2.0]], [np.eye(3)], SQUARE, ["box"])
    (numbers,), labels, _ = text_to_values(text, NUMBERS)
    assert labels == ["box"]
    depth = np.log(2.0 / DEPTH[0]) / np.log(DEPTH[1] / DEPTH[0])
    sizes = np.log(np.array([0.5, 1.0, 2.0]) / SIZE[0]) / np.log(SIZE[1] / SIZE[0])
    wanted = [0.5, 0.5, depth, *sizes, 1, 0.5, 0.5, 0.5, 1, 0.5]
    np.testing.assert_allclose(numbers, wanted, atol=1.01 / 999)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.3, 60)),
    st.tuples(*[st.floats(0.06, 15)] * 3),
    st.tuples(*[st.floats(-3, 3)] * 3),
    st.floats(0.6, 1.5),
)
def test_a_cuboid_comes_back(ray, dims, turn, focal):
    camera = np.diag([focal, focal, 1.0]) + np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    center = np.array([ray[0] / focal * ray[2], ray[1] / focal * ray[2], ray[2]])
    rotation = Rotation.from_rotvec(turn).as_matrix()
    assert writable([center], [dims], camera).all()
    back = text_to_cuboids(cuboids_to_text([center], [dims], [rotation], camera), camera)
    np.testing.assert_allclose(back.centers[0], center, atol=6e-3 * ray[2])
    np.testing.assert_allclose(back.dims[0], dims, rtol=4e-3)
    off = Rotation.from_matrix(back.rotations[0] @ rotation.T).magnitude()
    assert off < 4e-3
    np.testing.assert_allclose(back.rotations[0] @ back.rotations[0].T, np.eye(3), atol=1e-6)


def test_what_bins_cost_in_overlap():
    """The ceiling of IoU3D after twelve tokens, for things of 0.2 to 0.6 m at 1.5 to 3 m."""
    rng, overlaps = np.random.default_rng(0), []
    for _ in range(60):
        center = np.array([*rng.uniform(-0.4, 0.4, 2), rng.uniform(1.5, 3)])
        one = thing(center, rng.uniform(0.2, 0.6, 3), rng.uniform(-1, 1, 3))
        text = cuboids_to_text([one["center"]], [one["dims"]], [one["rotation"]], SQUARE)
        back = text_to_cuboids(text, SQUARE)
        made = {"center": back.centers[0], "dims": back.dims[0], "rotation": back.rotations[0]}
        overlaps.append(iou(made, one))
    assert np.mean(overlaps) > 0.95 and min(overlaps) > 0.9


def test_zoom_changes_the_virtual_depth_and_not_what_is_read():
    wide, narrow = SQUARE, np.diag([2.0, 2.0, 1.0]) + SQUARE - np.eye(3)
    texts = [cuboids_to_text([[0, 0, 2.0]], [[0.5] * 3], [np.eye(3)], camera) for camera in (wide, narrow)]
    assert texts[0] != texts[1]
    for text, camera in zip(texts, (wide, narrow), strict=True):
        np.testing.assert_allclose(text_to_cuboids(text, camera).centers, [[0, 0, 2]], atol=0.01)


def test_what_looks_the_same_is_turned_the_same():
    """Allocentric: a cuboid carried along an arc around the camera, turned with it, keeps its six numbers."""
    written = []
    for angle in (0.0, 0.4):
        around = Rotation.from_rotvec([0, angle, 0]).as_matrix()
        text = cuboids_to_text([around @ [0, 0, 2.0]], [[0.5] * 3], [around @ np.eye(3)], SQUARE)
        written.append(text_to_values(text, NUMBERS).values[0, 6:])
    np.testing.assert_allclose(written[0], written[1], atol=1.1 / 999)


def test_what_can_not_be_written_is_an_error():
    for center, dims in (
        ([0, 0, -1], [1] * 3),
        ([0, 0, 500], [1] * 3),
        ([9, 0, 1], [1] * 3),
        ([0, 0, 1], [1, 1, 50]),
    ):
        assert not writable([center], [dims], SQUARE).any()
        with pytest.raises(DataError, match="cuboid 1 is behind the camera or out of range"):
            cuboids_to_text([[0, 0, 1], center], [[1] * 3, dims], [np.eye(3)] * 2, SQUARE)
    assert writable(np.zeros((0, 3)), np.zeros((0, 3)), SQUARE).shape == (0,)


def test_any_twelve_tokens_are_a_cuboid_and_fewer_are_none():
    """Six numbers that span no rotation are read as one all the same."""
    for bins in ([500] * 6 + [499] * 6, [0] * 12, [999] * 12):
        found = text_to_cuboids(" ".join(map(location_word, bins)) + " box", SQUARE)
        assert found.labels == ["box"] and (found.dims > 0).all() and np.isfinite(found.centers).all()
        np.testing.assert_allclose(found.rotations[0] @ found.rotations[0].T, np.eye(3), atol=1e-6)
    none = text_to_cuboids(" ".join(map(location_word, range(11))), SQUARE)
    assert none.rotations.shape == (0, 3, 3) and none.skipped
