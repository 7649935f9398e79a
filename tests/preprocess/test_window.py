"""Windows: what is cut out, where it lies, and that pictures, masks, boxes and points are cut alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.preprocess.window import Window

SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))


@st.composite
def windows(draw):
    """Windows as they are drawn in training, around the whole picture, and laid anywhere, even beside it."""
    source, seed = draw(SIZES), draw(st.integers(0, 2**32 - 1))
    return draw(
        st.sampled_from(
            [
                Window.around(source),
                Window.draw(source, np.random.default_rng(seed)),
                Window(source, *draw(st.tuples(*[st.integers(-80, 80)] * 2)), draw(st.integers(1, 70))),
            ]
        )
    )


def covered(window):
    """The pixels of the picture that lie in the square, found one by one."""
    y, x = np.indices(window.source)
    top, left, side = window.top, window.left, window.side
    return (y >= top) & (y < top + side) & (x >= left) & (x < left + side)


def test_the_smallest_square_has_the_picture_in_its_middle():
    """2 rows of 4 columns: one row of padding above, one below."""
    window = Window.around((2, 4))
    assert window == Window((2, 4), -1, 0, 4)
    picture = np.arange(1, 9).reshape(2, 4)
    np.testing.assert_array_equal(window.cut(picture), [[0] * 4, [1, 2, 3, 4], [5, 6, 7, 8], [0] * 4])
    np.testing.assert_array_equal(window.real[:, 0], [False, True, True, False])
    np.testing.assert_allclose(window.points(np.array([[0.5, 0.25]])), [[0.5, 0.25]])
    np.testing.assert_allclose(window.boxes(np.array([[0, 0, 1, 1]]))[0], [[0.25, 0, 0.75, 1]])


@settings(deadline=None)
@given(windows())
def test_what_is_cut_is_pasted_back(window):
    picture = np.random.default_rng(0).uniform(0.1, 1, (*window.source, 3))
    square = window.cut(picture, fill=-1)
    assert square.shape == (window.side, window.side, 3) and square.dtype == picture.dtype
    back, inside = window.paste(square), covered(window)
    np.testing.assert_array_equal(back[inside], picture[inside])
    assert (back[~inside] == 0).all()
    assert (square[~window.real] == -1).all() and (square[window.real] > 0).all()
    assert window.real.sum() == inside.sum()


@settings(deadline=None)
@given(windows(), st.integers(0, 2**32 - 1))
def test_boxes_and_points_come_back(window, seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (5, 2)).astype(np.float32)
    np.testing.assert_allclose(window.points_back(window.points(points)), points, atol=1e-4)
    corners = np.sort(rng.uniform(0, 1, (5, 2, 2)), axis=1).reshape(5, 4).astype(np.float32)
    moved, left = window.boxes(corners)
    # What comes back is the part within the square.
    top, start = np.array([window.top, window.left]), np.array([window.top, window.left]) + window.side
    bounds = np.concatenate([top / window.source, start / window.source])
    within = np.clip(corners, np.tile(bounds[:2], 2), np.tile(bounds[2:], 2))
    np.testing.assert_allclose(window.boxes_back(moved)[left], within[left], atol=1e-4)
    assert (moved >= 0).all() and (moved <= 1).all()


@settings(deadline=None)
@given(windows(), st.integers(0, 2**32 - 1))
def test_a_mask_and_its_box_stay_together(window, seed):
    """The box of an object covers its pixels on the cut picture, and no more than a pixel around them."""
    rng = np.random.default_rng(seed)
    y, x = (np.sort(rng.integers(0, length + 1, 2)) for length in window.source)
    mask = np.zeros(window.source, bool)
    mask[y[0] : y[1], x[0] : x[1]] = True
    box = np.array([[y[0], x[0], y[1], x[1]]]) / np.tile(window.source, 2)
    (moved,), (left,) = window.boxes(box)
    cut = window.cut(mask)
    assert cut.any() == bool(left and mask.any()) or not mask.any()
    if cut.any():
        rows, columns = np.flatnonzero(cut.any(1)), np.flatnonzero(cut.any(0))
        tight = [rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]
        np.testing.assert_allclose(moved * window.side, tight, atol=1e-2)


@settings(deadline=None)
@given(windows())
def test_a_pixel_is_found_where_its_point_says(window):
    picture = np.arange(window.source[0] * window.source[1]).reshape(window.source)
    inside = np.argwhere(covered(window))
    places = window.points((inside + 0.5) / np.array(window.source)) * window.side
    y, x = np.floor(places).astype(int).T
    np.testing.assert_array_equal(window.cut(picture)[y, x], picture[tuple(inside.T)])


@settings(deadline=None)
@given(SIZES, st.integers(0, 2**32 - 1))
def test_a_drawn_window_shows_much_and_is_drawn_again_alike(source, seed):
    window = Window.draw(source, np.random.default_rng(seed))
    assert window == Window.draw(source, np.random.default_rng(seed))
    assert 0.75 * min(source) - 1 <= window.side <= max(source) / 0.75 + 1
    shown = [min(length, window.side) for length in source]
    assert min(shown) >= window.side / 6 - 1
    np.testing.assert_array_equal(
        window.real.sum(), np.prod(shown)
    )  # no padding where picture is cropped away


def test_training_crops_and_pads():
    drawn = [Window.draw((40, 60), np.random.default_rng(seed)) for seed in range(40)]
    assert {bool(window.real.all()) for window in drawn} == {True, False}
    assert len({(window.top, window.left) for window in drawn if window.real.all()}) > 5


def test_no_boxes_stay_none():
    boxes, left = Window.around((3, 4)).boxes(np.zeros((0, 4)))
    assert boxes.shape == (0, 4) and left.shape == (0,)
    assert Window.around((3, 4)).boxes_back(boxes).shape == (0, 4)


def test_an_array_of_another_size_is_an_error():
    window = Window.around((3, 4))
    with pytest.raises(DataError, match="4, 3.* 3 x 4"):
        window.cut(np.zeros((4, 3)))
    with pytest.raises(DataError, match="3, 4.* 4 x 4"):
        window.paste(np.zeros((3, 4)))
