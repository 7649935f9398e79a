"""Every pattern equals the table drawn in its docstring, and laws that tables can not show."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.nn import masks

GRID = jnp.arange(6)
DRAWN = {
    "padding": (masks.padding, (jnp.array([True, True, False]), jnp.array([True, False, True]))),
    "segments": (masks.segments, (jnp.array([1, 2, 0]), jnp.array([1, 1, 2, 0]))),
    "causal": (masks.causal, (3,)),
    "row": (masks.row, (GRID, GRID, 2)),
    "column": (masks.column, (GRID, GRID, 2)),
    "convolution": (masks.convolution, (GRID, GRID, 2, 3)),
    "denoising": (masks.denoising, (jnp.array([False, True, False, False]),)),
}


def drawing(function) -> np.ndarray:
    """The table of x and . in a docstring."""
    lines = re.findall(r"^ +((?:[x.] )*[x.])$", function.__doc__, re.MULTILINE)
    return np.array([[mark == "x" for mark in line.split()] for line in lines])


@pytest.mark.parametrize("name", DRAWN)
def test_pattern_is_as_drawn(name):
    function, arguments = DRAWN[name]
    wanted = drawing(function)
    assert wanted.any() and not wanted.all()
    np.testing.assert_array_equal(np.squeeze(function(*arguments)), wanted)


def test_masks_have_an_axis_for_heads():
    ids = jnp.ones((2, 5), jnp.int32)
    assert masks.segments(ids, ids[:, :3]).shape == (2, 1, 5, 3)
    assert masks.padding(ids > 0, ids[:, :3] > 0).shape == (2, 1, 5, 3)


def test_bias_is_finite():
    np.testing.assert_array_equal(masks.to_bias(jnp.array([True, False])), np.float32([0.0, -1e10]))


@pytest.mark.parametrize("pattern", [masks.row, masks.column, masks.convolution])
def test_one_decoding_step_is_one_line_of_the_pattern(pattern):
    index = jnp.arange(24)
    whole = pattern(index, index, 4)
    np.testing.assert_array_equal(pattern(index[13:14], index, 4), whole[13:14])
    assert not (np.asarray(whole) & ~np.asarray(masks.causal(24))).any()
    assert np.diagonal(whole).all()


def test_sparse_patterns_come_in_the_order_of_their_names():
    index = jnp.arange(24)
    planes = masks.sparse(index, index, 4)
    for name, plane in zip(masks.PATTERNS, planes, strict=True):
        np.testing.assert_array_equal(plane, getattr(masks, name)(index, index, 4))


@pytest.mark.parametrize(("width", "length"), [(4, 24), (3, 9), (16, 64), (7, 7)])
def test_a_decoding_step_reads_what_its_patterns_allow(width, length):
    index = jnp.arange(length)
    planes = np.asarray(masks.sparse(index, index, width))
    for i in range(length):
        keys = masks.sparse_keys(jnp.int32(i), width, length)
        for pattern in range(len(masks.PATTERNS)):
            read = np.asarray(keys.places)[pattern][np.asarray(keys.allowed)[pattern]]
            assert len(read) == len({*read.tolist()})
            assert {*read.tolist(), i} == {*np.flatnonzero(planes[pattern, i]).tolist()}, (i, pattern)


def test_of_an_image_of_1024_codes_a_step_reads_sixty():
    assert masks.sparse_keys(jnp.int32(700), 32, 1024).places.shape == (3, 60)


def test_which_layer_takes_which_pattern():
    names = [masks.PATTERNS[masks.decoder_pattern(layer, 6)] for layer in range(6)]
    assert " ".join(names) in masks.decoder_pattern.__doc__
    large = masks.decoder_patterns(24)
    assert [i for i, p in enumerate(large) if masks.PATTERNS[p] == "column"] == [1, 5, 9, 13, 17, 21]
    assert [i for i, p in enumerate(large) if masks.PATTERNS[p] == "convolution"] == [23]


def test_a_hidden_token_reaches_nobody():
    hidden = jnp.array([[True, False, True, True, False], [False] * 5])
    allowed = np.asarray(masks.denoising(hidden))
    assert allowed[1].all()
    for token in (0, 2, 3):  # token k is input k + 1
        others = np.arange(5) != token + 1
        assert not allowed[0, others, token + 1].any() and not allowed[0, token + 1, others].any()
    assert np.diagonal(allowed, axis1=1, axis2=2).all()
