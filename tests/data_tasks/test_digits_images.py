"""Handwritten digits: splits, enlarging and back, distortion, canvases, holes."""

import numpy as np
import pytest

from data_tasks.digits import images, strokes
from unified_io.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def digits() -> images.Digits:
    return images.load("train")


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float(
        np.mean(((one > 0.5) & (other > 0.5)).sum((1, 2)) / ((one > 0.5) | (other > 0.5)).sum((1, 2)))
    )


def test_splits_are_contiguous_and_disjoint():
    parts = [images.load(split) for split in ("train", "validation", "test")]
    assert [len(part.labels) for part in parts] == [1258, 270, 269]
    assert np.array_equal(np.concatenate([part.rows for part in parts]), np.arange(1797))
    for part in parts:
        assert part.images.dtype == np.float32
        assert part.images.min() == 0 and part.images.max() == 1
        assert set(part.labels.tolist()) == set(range(10))
    with pytest.raises(ConfigError, match="'validation'"):
        images.load("valdation")


@pytest.mark.parametrize("size", [16, 24, 32])
def test_downsample_undoes_upsample(digits, size):
    large = images.upsample(digits.images[:100], size)
    assert large.shape == (100, size, size) and large.min() >= 0 and large.max() <= 1
    error = np.abs(images.downsample(large) - digits.images[:100])
    assert error.mean() < 0.025 and error.max() < 0.25


def test_upsample_turns_with_the_image(digits):
    turned = images.upsample(np.rot90(digits.images[:10], axes=(1, 2)), 32)
    np.testing.assert_allclose(
        turned, np.rot90(images.upsample(digits.images[:10], 32), axes=(1, 2)), atol=1e-5
    )


def test_downsample_keeps_the_mean_at_any_ratio():
    picture = np.random.default_rng(0).random((20, 20))
    np.testing.assert_allclose(images.downsample(picture).mean(), picture.mean(), rtol=1e-6)


def test_upsample_refuses_other_sizes():
    with pytest.raises(DataError, match="8x8"):
        images.upsample(np.zeros((2, 9, 9)), 32)


def test_augment_moves_image_and_points_together(digits):
    large = images.upsample(digits.images[:60], 32)
    points = strokes.extract_all(large)
    moved, moved_points = images.augment(large, points, np.random.default_rng(0))
    drawn = np.stack([strokes.render(one, 32) for one in moved_points])
    assert overlap(drawn, moved) > 0.77
    assert overlap(moved, large) < 0.75, "the images hardly moved"
    for before, after in zip(points, moved_points, strict=True):
        np.testing.assert_array_equal(after[:, 2], before[:, 2])
        np.testing.assert_array_equal(after, strokes.snap(after))
    ink = large.sum((1, 2))
    assert np.all(moved.sum((1, 2)) > 0.6 * ink), "ink was pushed off the canvas"


def test_augment_follows_its_seed(digits):
    large = images.upsample(digits.images[:4], 32)
    empty = [np.zeros((0, 3), np.float32)] * 4
    first, _ = images.augment(large, empty, np.random.default_rng(5))
    again, _ = images.augment(large, empty, np.random.default_rng(5))
    other, _ = images.augment(large, empty, np.random.default_rng(6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_canvas_boxes_are_tight_and_apart(digits):
    rng = np.random.default_rng(0)
    corners = []
    for index in range(50):
        drawn = images.canvas(digits.images[index : index + 2], 32, rng)
        assert drawn.image.shape == (32, 32) and drawn.masks.shape == (2, 32, 32)
        assert not (drawn.masks[0] & drawn.masks[1]).any()
        for box, mask in zip(drawn.boxes, drawn.masks, strict=True):
            y1, x1, y2, x2 = np.rint(box * 32).astype(int)
            assert mask[y1:y2, x1:x2].sum() == mask.sum() > 0, "ink outside the box"
            inside = drawn.image[y1:y2, x1:x2] > images.INK
            assert all(side.any() for side in (inside[0], inside[-1], inside[:, 0], inside[:, -1])), (
                "box not tight"
            )
            assert 0 <= y1 < y2 <= 32 and 0 <= x1 < x2 <= 32
        one, other = drawn.boxes
        assert (one[2:] <= other[:2]).any() or (other[2:] <= one[:2]).any(), "boxes overlap"
        corners.append(one[:2])
    assert np.std(corners, axis=0).min() > 0.05, "places do not vary"


def test_hole_hides_some_but_not_all_ink(digits):
    rng = np.random.default_rng(0)
    for image in images.upsample(digits.images[:50], 32):
        keep = images.inpaint_hole(image, rng)
        assert 0.2 <= image[~keep].sum() / image.sum() <= 0.6
        patches = keep.reshape(4, 8, 4, 8).mean((1, 3))
        assert set(np.unique(patches)) == {0, 1}, "the hole cuts through a patch"
    assert not images.inpaint_hole(np.zeros((32, 32)), rng).all()
