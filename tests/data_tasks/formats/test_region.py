"""What is in a box: a class, or a phrase."""

import numpy as np
import pytest

from data_tasks.formats.region import RegionText
from tests.data_tasks.formats.wording import SEEDS, best, check_laws, made, oracle, picture, raw
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.cider import CIDER
from unified_io.evaluation.text import EXACT
from unified_io.structures import text_to_boxes

BOXES = [[0.0, 0.0, 0.5, 0.5], [0.4, 0.4, 0.9, 0.9], [0.4, 0.4, 0.9, 0.9]]
NAMES = ["red cube", "cone", "big cone"]
PHRASES = ["the red cube to the left", "a cone at the back", "the big cone far behind it"]
CLASSES = [*NAMES, "sphere"]


def scene(**other):
    return raw(**{"image": picture(24, 24), "boxes": BOXES, "names": NAMES, "phrases": PHRASES, **other})


def test_laws():
    check_laws(RegionText("region_class"), scene(classes=CLASSES))
    check_laws(RegionText("region_phrase", "phrase"), scene())


def test_the_box_in_the_prompt_is_that_of_the_answer():
    places, form = set(), RegionText("region_class")
    for seed in range(20):
        fields = made(form, scene(), seed, training=False)
        (box,) = text_to_boxes(fields["text_inputs"]).boxes
        place = NAMES.index(fields["text_targets"])
        np.testing.assert_allclose(box, BOXES[place], atol=1 / 999)
        places.add(place)
    assert places == {0, 1, 2}


def test_the_box_is_of_the_same_window_as_the_picture():
    # A white patch in the picture is where the box says, whatever the window.
    pixels = np.zeros((40, 60, 3), np.float32)
    pixels[10:20, 30:45] = 1.0
    example = raw(image=pixels, boxes=[[0.25, 0.5, 0.5, 0.75]], names=["patch"])
    for seed in SEEDS:
        try:
            fields = made(RegionText("region_class"), example, seed)
        except DataError:
            continue  # cropped away
        (box,) = text_to_boxes(fields["text_inputs"]).boxes
        shown = np.argwhere(fields["image_inputs"][..., 0] == 1.0)
        side = len(fields["image_inputs"])
        np.testing.assert_allclose(box, [*shown.min(0) / side, *(shown.max(0) + 1) / side], atol=2 / side)


def test_all_that_is_said_of_a_box_is_true():
    form = RegionText("region_phrase", "phrase")
    truths = {tuple(form.truth(made(form, scene(), seed, training=False))) for seed in range(20)}
    assert truths == {(PHRASES[0],), tuple(PHRASES[1:])}


def test_the_oracle_and_wrong_answers():
    alone = [
        scene(boxes=[box], names=[name], phrases=[phrase])
        for box, name, phrase in zip(BOXES, NAMES, PHRASES, strict=True)
    ]
    form = RegionText("region_class")
    assert oracle(form, alone) == best(form)
    assert oracle(form, alone, "sphere")[EXACT.name] == 0.0
    form = RegionText("region_phrase", "phrase")
    assert oracle(form, alone) == pytest.approx(best(form))
    assert oracle(form, alone, "a sphere")[CIDER.name] < 1.0


def test_classes_are_options_where_they_are_known():
    form = RegionText("region_class")
    fields = made(form, scene(classes=CLASSES))
    assert form.options(fields) == CLASSES
    assert form.parse("The Big Cone!", fields) == "big cone"
    assert form.options(made(form, scene())) == []


def test_useless_examples_are_refused():
    form = RegionText("region_class")
    with pytest.raises(DataError, match="names has 0 entries for 3 boxes"):
        made(form, scene(names=[]))
    with pytest.raises(DataError, match="no box of 1"):
        made(form, scene(boxes=[[0.5, 0.5, 0.5, 0.5]], names=["dot"], phrases=["a dot"]))
    with pytest.raises(DataError, match="phrases"):
        made(RegionText("region_phrase", "phrase"), scene(phrases=["", " ", ""]))
    with pytest.raises(DataError, match="none of the 2 classes"):
        made(form, scene(classes=["sphere", "cube"]))
    with pytest.raises(ConfigError, match="did you mean 'phrase'"):
        RegionText("region_phrase", "phrases")
