"""Pen trajectories: drawn again they are the digit; few points, on the grid, in a sensible order."""

import numpy as np
import pytest

from data_tasks.digits import images, polyline, skeleton, strokes
from data_tasks.digits.judges import ImageJudge
from unified_io.errors import DataError


@pytest.fixture(scope="module")
def large() -> np.ndarray:
    return images.upsample(images.load("validation").images[:120], 32)


@pytest.fixture(scope="module")
def trajectories(large) -> list[np.ndarray]:
    return strokes.extract_all(large)


def test_drawn_again_it_is_the_digit(large, trajectories):
    drawn = np.stack([strokes.render(points, 32) for points in trajectories]) > 0.5
    overlap = (drawn & (large > 0.5)).sum((1, 2)) / (drawn | (large > 0.5)).sum((1, 2))
    assert overlap.mean() > 0.83 and overlap.min() > 0.55


def test_the_image_judge_reads_what_is_drawn(trajectories):
    train = images.load("train")
    judge = ImageJudge().fit(train.images, train.labels)
    drawn = np.stack([strokes.render(points, 32) for points in trajectories])
    assert judge.accuracy(drawn, images.load("validation").labels[:120]) > 0.94


def test_points_are_few_and_on_the_grid(trajectories):
    for points in trajectories:
        assert points.dtype == np.float32 and points.shape[1] == 3
        assert 2 <= len(points) <= strokes.MAX_POINTS
        assert points[0, 2] == 0 and set(points[:, 2]) <= {0, 1}
        assert not np.any((points[:-1, 2] == 0) & (points[1:, 2] == 0)), "a move that draws nothing"
        assert points[-1, 2] == 1
        np.testing.assert_array_equal(points[:, :2] * 64 % 2, 1)
    assert np.mean([len(points) for points in trajectories]) < 9.5


def test_max_points_is_kept(large):
    assert max(len(strokes.extract(image, max_points=5)) for image in large[:20]) <= 5


def test_same_strokes_from_the_cache(large, trajectories, tmp_path):
    first = strokes.extract_all(large[:10], tmp_path)
    (kept,) = tmp_path.iterdir()
    stamp = kept.stat().st_mtime_ns
    again = strokes.extract_all(large[:10], tmp_path)
    assert kept.stat().st_mtime_ns == stamp
    for one, other, fresh in zip(first, again, trajectories, strict=False):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, fresh)
    kept.write_bytes(b"PK cut short")
    np.testing.assert_array_equal(strokes.extract_all(large[:10], tmp_path)[3], first[3])


def test_empty_image_has_no_strokes():
    assert strokes.extract(np.zeros((32, 32), np.float32)).shape == (0, 3)
    assert strokes.extract_all(np.zeros((2, 32, 32), np.float32))[1].shape == (0, 3)
    np.testing.assert_array_equal(strokes.render(np.zeros((0, 3)), 16), np.zeros((16, 16)))


def test_small_image_is_refused_with_the_remedy():
    with pytest.raises(DataError, match="upsample"):
        strokes.extract(np.zeros((8, 8), np.float32))


def test_render_draws_lines_and_lifts_the_pen():
    points = np.array([[0.25, 0.1, 0], [0.25, 0.9, 1], [0.75, 0.1, 0], [0.75, 0.9, 1]], np.float32)
    drawn = strokes.render(points, 64)
    assert drawn[16, 10:54].min() == 1 and drawn[48, 10:54].min() == 1
    assert drawn[28:36].max() == 0, "a line between two strokes"
    np.testing.assert_allclose(drawn, np.flipud(drawn), atol=1e-5)
    broken = points.copy()
    broken[1, 2] = 0
    assert strokes.render(broken, 64)[:28].max() == 0
    # Half the width of a line is BRUSH, at every size.
    for size in (64, 256):
        column = strokes.render(points[:2], size)[:, size // 2]
        np.testing.assert_allclose(column.sum() / size, 2 * strokes.BRUSH, atol=0.01)


def test_a_dot_and_a_garbled_trajectory_can_be_drawn():
    dot = np.array([[0.5, 0.5, 0], [0.5, 0.5, 1]], np.float32)
    assert strokes.render(dot, 16).sum() > 1
    assert np.isfinite(strokes.render(np.array([[2, -1, 1], [0.5, 3, 1], [0, 0, 0]], np.float32), 16)).all()


def draw(*lines: tuple[int, int, int, int]) -> np.ndarray:
    """Draws lines two pixels wide on 32x32."""
    ink = np.zeros((32, 32), bool)
    for y1, x1, y2, x2 in lines:
        for t in np.linspace(0, 1, 65):
            y, x = round(y1 + t * (y2 - y1)), round(x1 + t * (x2 - x1))
            ink[y : y + 2, x : x + 2] = True
    return ink


def test_a_cross_is_two_straight_strokes():
    first, second = skeleton.trace(draw((4, 16, 28, 16), (16, 4, 16, 28)), spur=4)
    for stroke in (first, second):
        spread = np.ptp(np.array(stroke), axis=0)
        assert spread.min() <= 2 and spread.max() >= 20
    assert first[0][0] < 8, "the first stroke should start at the top"


def test_a_ring_is_one_closed_anticlockwise_stroke():
    (ring,) = skeleton.trace(draw((6, 8, 6, 24), (6, 24, 26, 24), (26, 24, 26, 8), (26, 8, 6, 8)), spur=4)
    assert ring[0] == ring[-1] == min(ring)
    y, x = np.array(ring, float).T
    assert np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) < 0


def test_a_nine_is_its_loop_then_its_tail():
    nine = draw((5, 8, 5, 22), (5, 8, 15, 8), (15, 8, 15, 22), (5, 22, 28, 22))
    (stroke,) = skeleton.trace(nine, spur=4)
    assert stroke[0] in stroke[1:], "the loop does not close"
    assert stroke[-1][0] > 24


def test_every_skeleton_pixel_is_drawn_once():
    from skimage.morphology import skeletonize

    eight = draw(
        (4, 8, 4, 22),
        (4, 22, 14, 22),
        (14, 22, 14, 8),
        (14, 8, 4, 8),
        (14, 8, 28, 8),
        (28, 8, 28, 22),
        (28, 22, 14, 22),
    )
    paths = skeleton.trace(eight, spur=1)
    steps = [frozenset(step) for path in paths for step in zip(path, path[1:], strict=False)]
    assert len(steps) == len(set(steps))
    assert {pixel for path in paths for pixel in path} == set(
        map(tuple, np.argwhere(skeletonize(eight)).tolist())
    )


def test_corners_are_found_exactly():
    path = np.array([(0, x) for x in range(10)] + [(y, 9) for y in range(1, 10)], float)
    assert polyline.corners(path, price=1.0) == [0, 9, 18]
    assert polyline.corners(path, price=1e6) == [0, 18]
    loop = np.concatenate([path, path[::-1, ::-1][:, ::-1] * 0 + [(9 - k, 9 - k) for k in range(19)]]).clip(0)
    assert len(polyline.corners(np.concatenate([loop, path[:1]]), price=1e6)) == 3


def test_corners_are_the_cheapest_choice():
    from itertools import combinations

    path = np.cumsum(np.random.default_rng(0).normal(size=(8, 2)), axis=0)

    def cost(kept: tuple[int, ...]) -> float:
        total = 0.0
        for a, b in zip(kept, kept[1:], strict=False):
            way = (path[b] - path[a]) / np.linalg.norm(path[b] - path[a])
            offset = path[a : b + 1] - path[a]
            total += np.sum((offset[:, 0] * way[1] - offset[:, 1] * way[0]) ** 2) + 0.7
        return total

    choices = [(0, *inner, 7) for n in range(7) for inner in combinations(range(1, 7), n)]
    assert tuple(polyline.corners(path, price=0.7)) == min(choices, key=cost)
