"""Clouds of points: centred, scaled, brought to one size."""

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.preprocess import point_ops
from unified_io.preprocess.point_files import Surface


@pytest.fixture
def cloud():
    return np.random.default_rng(0).normal(3.0, 2.0, size=(40, 3)).astype(np.float32)


def test_normalised_clouds_are_centred_in_the_unit_sphere(cloud):
    found = point_ops.normalise(cloud)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1).max(), 1, atol=1e-6)
    np.testing.assert_allclose(point_ops.normalise(cloud * 7 + 5), found, atol=1e-5)
    assert found.dtype == np.float32


def test_a_cloud_of_one_place_stays_at_the_origin():
    np.testing.assert_array_equal(point_ops.normalise(np.full((4, 3), 5, np.float32)), np.zeros((4, 3)))


def test_of_a_larger_cloud_the_farthest_apart_are_taken(cloud):
    chosen = [0]
    while len(chosen) < 9:
        gaps = [min(((p - cloud[c]) ** 2).sum() for c in chosen) for p in cloud]
        chosen.append(int(np.argmax(gaps)))
    assert point_ops.farthest_points(cloud, 9).tolist() == chosen
    np.testing.assert_array_equal(point_ops.sample(cloud, 9), cloud[chosen])


def test_of_a_smaller_cloud_all_are_taken_and_some_twice(cloud):
    found = point_ops.sample(cloud, 60, seed=1)
    np.testing.assert_array_equal(found[:40], cloud)
    assert {tuple(p) for p in found} == {tuple(p) for p in cloud}
    np.testing.assert_array_equal(found, point_ops.sample(cloud, 60, seed=1))
    assert not np.array_equal(found, point_ops.sample(cloud, 60, seed=2))
    np.testing.assert_array_equal(point_ops.sample(cloud, 40), cloud)


def test_places_on_a_surface_lie_on_it_and_follow_its_area():
    """Two triangles, one three times the other: below and above the line x + y = 0."""
    vertices = np.float32([[0, 0, 0], [1, 0, 2], [0, 1, 2], [-3, 0, 0], [0, -1, 0]])
    surface = Surface.of(vertices, "it", [(0, 1, 2), (0, 3, 4)])
    found = point_ops.sample_surface(surface, 4000)
    upper = found[:, 0] > 0
    np.testing.assert_allclose(found[upper, 2], 2 * (found[upper, 0] + found[upper, 1]), atol=1e-5)
    np.testing.assert_array_equal(found[~upper, 2], 0)
    # areas: |(1, 0, 2) x (0, 1, 2)| / 2 = 1.5 and 3 * 1 / 2 = 1.5
    assert abs(upper.mean() - 0.5) < 0.03
    # evenly over a triangle: the mean is its centroid
    np.testing.assert_allclose(found[~upper].mean(axis=0), [-1, -1 / 3, 0], atol=0.05)
    np.testing.assert_allclose(found[upper].mean(axis=0), [1 / 3, 1 / 3, 4 / 3], atol=0.05)


def test_prepared_from_an_array_with_colours(cloud):
    coloured = np.concatenate([cloud, np.ones((40, 3))], axis=1)
    found = point_ops.prepare(coloured, 16)
    assert found.shape == (16, 3) and found.dtype == np.float32
    np.testing.assert_array_equal(found, point_ops.normalise(point_ops.sample(cloud, 16)))


def test_prepared_from_a_surface_is_sampled_on_it():
    square = b"v 0 0 1\nv 2 0 1\nv 2 2 1\nv 0 2 1\nf 1 2 3 4\n"
    found = point_ops.prepare(square, 100)
    assert found.shape == (100, 3) and len(np.unique(found, axis=0)) == 100
    np.testing.assert_allclose(found[:, 2], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((0, 3)), r"array of \(0, 3\)"),
        (np.zeros((4, 2)), r"array of \(4, 2\)"),
        ("no_such_file.ply", "no cloud at 'no_such_file.ply'"),
        ([["a", "b", "c"]], "no numbers"),
        (np.array([[0, 0, np.nan], [0, 0, 0], [np.inf, 0, 0]]), "2 points of 3 that are NaN or infinite"),
    ],
)
def test_what_is_no_cloud_is_refused(value, message):
    with pytest.raises(DataError, match=message):
        point_ops.prepare(value)


def test_a_surface_without_area_is_refused():
    with pytest.raises(DataError, match="1 triangles have no area"):
        point_ops.prepare(b"v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\n")
