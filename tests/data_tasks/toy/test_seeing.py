"""The eye that judges drawn pictures of the toy world."""

import numpy as np
import pytest

from data_tasks.toy import seeing, splits, still
from data_tasks.toy.render import render
from data_tasks.toy.scene import COLOURS
from unified_io.preprocess.image_ops import resize


@pytest.fixture(scope="module")
def scenes():
    split = splits.split("test")
    return [still.scene(split, splits.generator("test", index, "seeing"), 64) for index in range(150)]


def test_true_pictures_show_the_colours_that_their_captions_tell(scenes):
    scores = [seeing.colours_agree(one["image"], {"caption": one["captions"][0]}) for one in scenes]
    assert np.mean(scores) > 0.93
    others = [
        seeing.colours_agree(one["image"], {"caption": other["captions"][0]})
        for one, other in zip(scenes, scenes[1:], strict=False)
    ]
    assert np.mean(others) < 0.5


def test_small_pictures_keep_them(scenes):
    small = [resize(resize(one["image"], (32, 32)), (64, 64)) for one in scenes]
    pairs = zip(small, scenes, strict=True)
    scores = [seeing.colours_agree(made, {"caption": one["captions"][0]}) for made, one in pairs]
    assert np.mean(scores) > 0.85


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_is_told_from_all_others_in_light_and_shade(colour):
    picture = np.full((64, 64, 3), (0.45, 0.32, 0.22), np.float32)
    picture[20:40, 20:40] = np.array(COLOURS[colour])
    if colour != "white":
        picture[20:40, 30:40] *= 0.6
    assert seeing.colours_seen(picture) == {colour}


def test_an_empty_room_and_a_broken_answer_show_nothing():
    state = splits.split("train").draw(np.random.default_rng(0), count=(0, 0))
    assert seeing.colours_seen(render(state, 64).image) == set()
    assert seeing.colours_seen(np.zeros((64, 64, 3), np.float32)) == set()
    assert seeing.colours_agree(np.zeros((64, 64, 3)), {"caption": "a red cube"}) == 0.0
