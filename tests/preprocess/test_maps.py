"""Maps drawn as pictures come back as they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unified_io.preprocess import maps

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
UNIT = st.floats(0, 1, width=32)


def is_picture(pixels, size):
    return pixels.shape == (*size, 3) and pixels.dtype == np.float32 and ((pixels >= 0) & (pixels <= 1)).all()


@given(SIZES.flatmap(lambda size: arrays(bool, size)))
def test_masks(mask):
    pixels = maps.mask_to_pixels(mask)
    assert is_picture(pixels, mask.shape)
    np.testing.assert_array_equal(maps.pixels_to_mask(pixels), mask)
    # Grey on the right side of the middle will do.
    np.testing.assert_array_equal(maps.pixels_to_mask(pixels * 0.6 + 0.15), mask)


def test_masks_are_white_on_black():
    np.testing.assert_array_equal(
        maps.mask_to_pixels(np.array([[True, False]])), [[[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]]
    )


@given(
    SIZES.flatmap(lambda size: arrays(np.float32, size, elements=UNIT)), st.sampled_from([3.0, 10.0, 80.0])
)
def test_depth(part, most):
    metres = part * np.float32(most)
    pixels = maps.depth_to_pixels(metres, most)
    assert is_picture(pixels, metres.shape)
    np.testing.assert_allclose(maps.pixels_to_depth(pixels, most), metres, atol=1e-5 * most)


def test_depth_white_is_far_and_no_farther():
    pixels = maps.depth_to_pixels(np.array([[0.0, 5.0, 10.0, 99.0]], np.float32), 10.0)
    np.testing.assert_allclose(pixels[0, :, 0], [0.0, 0.5, 1.0, 1.0])


@given(SIZES.flatmap(lambda size: arrays(np.float64, (*size, 3), elements=st.floats(-1, 1))))
def test_normals(vectors):
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    normals = np.where(length > 1e-2, vectors / np.maximum(length, 1e-2), [0.0, 0.6, -0.8]).astype(np.float32)
    pixels = maps.normals_to_pixels(normals)
    assert is_picture(pixels, normals.shape[:2])
    np.testing.assert_allclose(maps.pixels_to_normals(pixels), normals, atol=1e-5)


def test_normals_unknown_is_black_and_grey_faces_the_camera():
    assert not maps.normals_to_pixels(np.zeros((1, 1, 3), np.float32)).any()
    np.testing.assert_array_equal(maps.pixels_to_normals(np.full((1, 1, 3), 0.5)), [[[0.0, 0.0, 1.0]]])
    np.testing.assert_allclose(maps.normals_to_pixels(np.array([[[1.0, 0.0, 0.0]]])), [[[1.0, 0.5, 0.5]]])


@given(
    SIZES.flatmap(
        lambda size: st.tuples(
            arrays(np.float32, (*size, 2), elements=st.floats(-1, 1, width=32)), arrays(bool, size)
        )
    ),
    st.sampled_from([0.1, 0.25, 1.0]),
)
def test_flow(given_flow, reach):
    part, known = given_flow
    flow = part * np.float32(reach * 0.999)
    pixels = maps.flow_to_pixels(flow, known, reach)
    assert is_picture(pixels, known.shape)
    back, there = maps.pixels_to_flow(pixels, reach)
    np.testing.assert_array_equal(there, known)
    np.testing.assert_allclose(back[known], flow[known], atol=1e-6)


def test_flow_beyond_reach_is_unknown():
    flow = np.array([[[0.3, 0.0], [0.2, -0.25]]], np.float32)
    pixels = maps.flow_to_pixels(flow, np.ones((1, 2), bool), 0.25)
    np.testing.assert_allclose(pixels, [[[0.0, 0.0, 0.0], [0.9, 0.0, 1.0]]], atol=1e-6)


@pytest.mark.parametrize("name", ["mask", "depth", "normals"])
def test_one_grey_for_all_channels(name):
    size = (2, 3)
    value = {"mask": np.ones(size, bool), "depth": np.ones(size), "normals": np.full((*size, 3), 3**-0.5)}[
        name
    ]
    pixels = getattr(maps, f"{name}_to_pixels")(value)
    assert (pixels == pixels[:, :, :1]).all()
