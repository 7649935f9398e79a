"""Boxes: in pixels of the picture that was given, the earlier of two that are the same, and in whole groups."""

import numpy as np
import pytest
from api.answers import BIN, words

from unified_io.api.scene import Scene
from unified_io.errors import ConfigError
from unified_io.evaluation.boxes import keep_first

FIRST, SAME, OTHER = [1, 2, 6, 12], [1, 2, 6, 11.5], [0, 0, 9, 21]


def test_boxes_come_back_in_pixels_of_the_picture(model, picture, told):
    script = told(words(FIRST, SAME, OTHER))
    found = model.localize(picture, "cat")
    np.testing.assert_allclose(found.boxes, [FIRST, OTHER], atol=BIN)
    assert found.labels == ("cat", "cat") and len(found) == 2
    assert "cat" in script.asked[0]["text_inputs"]


def test_a_list_of_pictures_is_a_list_of_results(model, picture, told):
    told(words(FIRST), "", words(OTHER), words(FIRST))
    found = model.localize([picture, picture], ["cat", "dog"])
    assert [x.labels for x in found] == [("cat",), ()]
    assert found[1].boxes.shape == (0, 4)
    two = model.localize(picture, ["cat", "dog"])
    np.testing.assert_allclose(np.concatenate([x.boxes for x in two]), [OTHER, FIRST], atol=BIN)


def test_objects_come_with_their_names(model, picture, told):
    told(words(FIRST, OTHER, labels=["a cat", "sky"]) + " <extra_id_300> moon", words([5, 5, 5, 9], FIRST))
    found = model.detect(picture)
    np.testing.assert_allclose(found.boxes, [FIRST, OTHER], atol=BIN)
    assert found.labels == ("a cat", "sky") and len(found.skipped) == 1
    flat = model.detect(picture)
    assert len(flat) == 1 and "without area" in flat.skipped[0]


def test_an_overlap_of_one_keeps_all(model, picture, told):
    told(words(FIRST, SAME), words(FIRST, SAME))
    assert len(model.localize(picture, "cat", overlap=0.99)) == 2
    with pytest.raises(ConfigError, match="overlap 2"):
        model.localize(picture, "cat", overlap=2)


def test_an_expression_is_one_box(model, picture, told):
    told(words(FIRST))
    found = model.refer(picture, "the left one")
    np.testing.assert_allclose(found.boxes, [FIRST], atol=BIN)
    assert found.labels == ("the left one",)


def test_the_network_itself_writes_whole_boxes(model, picture, monkeypatch):
    once = model.refer(picture, "it")
    assert once.boxes.shape == (1, 4)
    assert (once.boxes >= 0).all() and (once.boxes <= [9, 21, 9, 21]).all()
    texts = []
    write = model._make_one
    monkeypatch.setattr(model, "_make_one", lambda *a, **k: texts.extend(write(*a, **k)) or texts)
    model.localize(picture, "cat", threshold=0.0, max_length=8)
    assert texts[0].count("<extra_id_") == len(texts[0].split()) == 8


def test_the_earlier_box_stays():
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 3.5], [0, 0, 4, 2], [5, 5, 6, 6], [0, 0, 4, 4]])
    assert keep_first(boxes, 0.8) == [0, 2, 3]
    assert keep_first(boxes[::-1], 0.8) == [0, 1, 2]
    assert keep_first(np.zeros((0, 4)), 0.8) == []


def test_a_box_outside_is_told(model, picture):
    scene = Scene.read(picture, model._input("image"))
    for box in ([1, 2, 3], [5, 5, 1, 9], [10, 0, 12, 4], [0, 0, np.nan, 4]):
        with pytest.raises(ConfigError, match="box"):
            scene.box_text(np.array(box))
    assert scene.box_text(np.array([-5, -5, 50, 50])) == words(OTHER)
    assert scene.box_mask(np.array([0.5, 1, 2, 2.5], np.float32)).sum() == 4
