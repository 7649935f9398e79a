"""Masks, depth and normals: of the size of the picture, in their units."""

import numpy as np
import pytest
from api.answers import painted, words

from unified_io.errors import ConfigError


def test_a_mask_is_what_is_bright(model, picture, told):
    script = told(painted([1, 0.6, 0], 0), painted(0, 1))
    found = model.segment_box(picture, [[1, 2, 5, 9], [0, 0, 9, 21]], "cat")
    assert found.masks.shape == (2, 9, 21) and found.labels == ("cat", "cat")
    assert found.masks[0][:, :10].all() and not found.masks[0][:, 11:].any()
    assert found.masks[1][:, 11:].all() and not found.masks[1][:, :10].any()
    np.testing.assert_array_equal(found.boxes, [[1, 2, 5, 9], [0, 0, 9, 21]])
    assert [x["output"] for x in script.asked] == ["image", "image"]
    assert script.asked[0]["text_inputs"].startswith("[Image] [S] ")


def test_everything_of_a_category_is_found_and_cut_out(model, picture, told):
    script = told(words([1, 2, 5, 9], [0, 9, 9, 21]), "", painted(1, 0), painted(1, 1))
    first, none = model.segment_class([picture, picture], ["cat", "dog"])
    assert [x["output"] for x in script.asked] == ["text", "text", "image", "image"]
    assert len(first) == 2 and first.masks[1].all() and not first.masks[0].all()
    assert none.masks.shape == (0, 9, 21) and none.boxes.shape == (0, 4)


def test_depth_is_in_metres_and_white_is_far(model, picture, told):
    told(painted(0.25, 1), painted(0.25, 1))
    far = model.depth(picture, max_depth=8.0).metres
    assert far.shape == (9, 21) and far.dtype == np.float32
    np.testing.assert_allclose(far[:, :10], 2.0, rtol=1e-6)
    np.testing.assert_allclose(far[:, 11:], 8.0, rtol=1e-6)
    with pytest.raises(ConfigError, match="max_depth 0"):
        model.depth(picture, max_depth=0)


def test_normals_are_unit_vectors(model, picture, told):
    told(painted([0.5, 0.5, 1], [0.75, 0.5, 0.5]), painted(0.5, [0, 0.5, 0.5]))
    vectors = model.surface_normals([picture, picture])
    np.testing.assert_allclose(vectors[0].vectors[0, [0, 20]], [[0, 0, 1], [1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(vectors[1].vectors[0, [0, 20]], [[0, 0, 1], [-1, 0, 0]], atol=1e-6)


def test_the_network_itself_paints_the_same_for_the_same_seed(model, picture):
    first = model.surface_normals(picture, seed=7).vectors
    np.testing.assert_array_equal(first, model.surface_normals(picture, seed=7).vectors)
    np.testing.assert_allclose(np.linalg.norm(first, axis=2), 1, rtol=1e-5)
    assert not np.array_equal(first, model.surface_normals(picture, seed=8).vectors)
    with pytest.raises(ConfigError, match="another seed"):
        model.depth(picture, samples=2)
