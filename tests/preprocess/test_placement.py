"""Where a picture lies in its square, and coordinates there and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.preprocess.placement import Placement


@pytest.mark.parametrize("side, short", [(296, 383), (74, 383), (300, 384)])
def test_sides_are_truncated_in_float32(side, short):
    placement = Placement.fit((side, 10), (384, 384))
    assert placement.scaled[0] == short


def test_a_picture_lies_in_the_middle_and_tells_how():
    """100x50 in a square of 60: scaled by 0.6 to 60x30, with 15 columns at its left."""
    placement = Placement.fit((100, 50), (60, 60))
    assert placement == Placement((100, 50), (60, 60), (60, 30), 0, 15)
    assert placement.window == (slice(0, 60), slice(15, 45))
    np.testing.assert_allclose(placement.info, [0, 15, 1 / 0.6, 100, 50, 0, 0, 0, 0, 60, 30], rtol=1e-6)
    assert placement.info.dtype == np.float32


def test_points_and_boxes_are_taken_to_the_square_and_back():
    placement = Placement.fit((100, 50), (60, 60))
    square = [[0.0, 0.25], [1.0, 0.75], [0.5, 0.5]]
    np.testing.assert_allclose(placement.to_square([[0, 0], [100, 50], [50, 25]]), square, atol=1e-6)
    box = placement.to_square(np.array([[0, 0, 100, 50]]))
    np.testing.assert_allclose(box, [[0, 0.25, 1, 0.75]], atol=1e-6)
    np.testing.assert_allclose(placement.to_source(box), [[0, 0, 100, 50]], atol=1e-4)


@given(
    st.tuples(*[st.integers(1, 3000)] * 2),
    st.integers(8, 400),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_coordinates_within_the_picture_come_back(source, side, part):
    placement = Placement.fit(source, (side, side))
    corners = np.float32(part) * np.float32([*source, *source])
    there = placement.to_square(corners)
    assert there.min() >= 0 and there.max() <= 1
    np.testing.assert_allclose(placement.to_source(there), corners, atol=1e-5 * max(source) + 1e-6)


def test_what_lies_outside_is_clipped():
    placement = Placement.fit((100, 50), (60, 60))
    np.testing.assert_array_equal(placement.to_square([[-500.0, 500.0]]), [[0, 1]])
    np.testing.assert_allclose(placement.to_source([[0.0, 0.0, 1.0, 1.0]]), [[0, 0, 100, 50]], atol=1e-4)


def test_an_empty_list_of_boxes_stays_empty():
    assert Placement.fit((3, 4), (8, 8)).to_source(np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
def test_other_shapes_are_errors(shape):
    with pytest.raises(DataError, match="y, x"):
        Placement.fit((3, 4), (8, 8)).to_square(np.zeros(shape))
