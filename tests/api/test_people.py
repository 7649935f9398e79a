"""Keypoints: 17 for everybody, in pixels of the picture, the missing ones where the others are."""

import dataclasses

import numpy as np
import pytest
from api.answers import BIN, in_square, words

from unified_io import api
from unified_io.errors import ConfigError
from unified_io.structures import COCO_PARTS, keypoints_to_text

POINTS = np.stack([np.linspace(0, 9, 17), np.linspace(20, 1, 17)], axis=1)
"""In pixels, y before x."""


def parts(visible) -> str:
    square = [in_square([*point, *point])[:2] for point in POINTS]
    return keypoints_to_text(np.array(square, np.float32), visible)


def test_people_are_found_and_then_their_parts(model, picture, told):
    some = np.arange(17) % 3 > 0
    script = told(words([0, 0, 9, 9], [0, 9, 9, 21]), parts([True] * 17), parts(some))
    found = model.keypoints(picture)
    assert len(found) == 2 and found.parts == COCO_PARTS
    np.testing.assert_allclose(found.boxes, [[0, 0, 9, 9], [0, 9, 9, 21]], atol=BIN)
    np.testing.assert_allclose(found.points[0], POINTS, atol=BIN)
    assert found.visible[0].all() and found.visible[1].tolist() == some.tolist()
    np.testing.assert_allclose(found.points[1][some], POINTS[some], atol=BIN)
    np.testing.assert_allclose(found.points[1][~some], [POINTS[some].mean(axis=0)] * 6, atol=BIN)
    np.testing.assert_allclose(found.coco[1, 0], [*found.points[1, 0, ::-1], 0])
    assert "person" in script.asked[0]["text_inputs"]
    assert len(script.asked) == 3 and script.asked[1]["text_inputs"] != script.asked[2]["text_inputs"]


def test_nobody_is_nobody(model, picture, told):
    told("", "", "")
    assert len(model.keypoints(picture)) == 0
    empty = model.keypoints([picture, picture])
    assert [x.points.shape for x in empty] == [(0, 17, 2)] * 2


def test_given_people_are_not_looked_for(model, picture, told):
    script = told(*[parts([True] * 17)] * 3)
    found = model.keypoints([picture, picture], [[0, 0, 9, 9], [[0, 0, 9, 9], [0, 9, 9, 21]]])
    assert [len(x) for x in found] == [1, 2] and len(script.asked) == 3


def test_the_network_itself_says_where_all_parts_are(model, picture):
    found = model.keypoints(picture, [0, 0, 9, 21])
    assert found.points.shape == (1, 17, 2) and found.visible.all()
    assert (found.points >= 0).all() and (found.points <= [9, 21]).all()


def test_a_model_that_writes_too_little_is_told(model, picture):
    text, *others = model.config.targets
    config = dataclasses.replace(model.config, targets=(dataclasses.replace(text, max_length=20), *others))
    with pytest.raises(ConfigError, match="this model writes 20; give forced=False"):
        api.UnifiedIO(config, model.params).keypoints(picture, [0, 0, 9, 21])
