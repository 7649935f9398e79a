"""What encoders of the toy world learn from: labels that are true of the patches, of training content alone."""

import dataclasses
import pickle

import numpy as np
import pytest

from data_tasks.toy import heard_patches, seen_patches
from data_tasks.toy.heard_patches import HeardPatches
from data_tasks.toy.placing import TURN
from data_tasks.toy.scene import COLOURS, SHAPES
from data_tasks.toy.seen_patches import SeenPatches
from data_tasks.toy.splits import HELD_OUT_PAIRS, HELD_OUT_SHAPE
from tests.tiny import AST, MEL, tiny_config
from unified_io.modalities.audio import AudioInput

CONFIG = tiny_config()
IMAGE = dataclasses.replace(CONFIG.input("image"), resolution=64)
AUDIO = AudioInput(
    mel=dataclasses.replace(MEL, frames=64),
    patch=8,
    ast=dataclasses.replace(AST, grid=(8, 2), num_positions=16),
)
PLACE = {word: place for place, word in enumerate(seen_patches.WORDS)}
HEARD = {word: place for place, word in enumerate(heard_patches.WORDS)}
COUNT = 60


@pytest.fixture(scope="module")
def pictures():
    return [SeenPatches()(index, IMAGE) for index in range(COUNT)]


@pytest.fixture(scope="module")
def sounds():
    return [HeardPatches(speech=0.0)(index, AUDIO) for index in range(COUNT)]


def test_pictures_have_the_shapes_of_the_encoder(pictures):
    for one in pictures:
        assert one.patches.shape == (IMAGE.slot_size, IMAGE.features()["patches"].shape[1])
        assert one.mask.shape == (IMAGE.slot_size,) and one.mask.any()
        assert one.words.shape == (IMAGE.slot_size, len(seen_patches.WORDS))
        assert np.isfinite(one.patches).all()


def test_a_patch_has_one_colour_and_one_shape_and_a_box_around_it(pictures):
    rows, columns = IMAGE.grid
    for one in pictures:
        colours = one.words[:, [PLACE[colour] for colour in COLOURS]]
        assert (colours.sum(axis=1) <= 1).all()
        for patch in np.flatnonzero(one.mask & colours.any(axis=1)):
            top, left, bottom, right = one.numbers[patch, :4]
            row, column = divmod(int(patch), columns)
            assert top < (row + 1) / rows and bottom > row / rows
            assert left < (column + 1) / columns and right > column / columns


def test_where_the_camera_stands_is_known_where_a_rug_tells(pictures):
    turns = [one.numbers[one.mask, -50:-48] for one in pictures]  # sine and cosine, in front of the colours
    known = np.array([np.isfinite(turn).any() for turn in turns])
    assert 0.03 < known.mean() < 0.3
    for turn in (turn for turn, told in zip(turns, known, strict=True) if told):
        sine, cosine = np.unique(turn[np.isfinite(turn).all(axis=1)].round(4), axis=0).T
        assert len(sine) == 1 and sine[0] ** 2 + cosine[0] ** 2 == pytest.approx(1.0, abs=1e-3)
        assert abs(np.arctan2(sine[0], cosine[0])) <= 2 * TURN + 1e-3


def test_colours_are_those_that_are_seen(pictures):
    """A patch that is called red is redder than one that is called blue, by its own cells."""

    def mean(word):
        own = [one.numbers[one.words[:, PLACE[word]] & one.mask, -48:] for one in pictures]
        return np.concatenate(own).reshape(-1, 16, 3).mean(axis=(0, 1))

    red, blue = mean("red"), mean("blue")
    assert red[0] > blue[0] + 0.3 and blue[2] > red[2] + 0.3


def test_nothing_that_is_held_out_is_shown_or_heard(pictures, sounds):
    for one in pictures:
        assert not one.words[:, PLACE[HELD_OUT_SHAPE]].any()
        for shape, colour in HELD_OUT_PAIRS:
            assert not (one.words[:, PLACE[shape]] & one.words[:, PLACE[colour]]).any()
    for one in sounds:
        assert not one.words[:, HEARD[f"{HELD_OUT_SHAPE} is heard"]].any()


def test_all_kinds_of_pictures_are_among_them(pictures):
    shown = np.any([one.words.any(axis=0) for one in pictures], axis=0)
    for word in ("large", "striped", "person", "board", "tray", "block", "agent", "nose", "ring"):
        assert shown[PLACE[word]], word


def test_what_sounds_is_loud_and_said_at_its_time(sounds):
    columns = AUDIO.grid[1]
    shapes = [HEARD[f"{shape} is heard"] for shape in SHAPES]
    loud, quiet = [], []
    for one in sounds:
        heard = one.words[:, shapes].any(axis=1)
        assert np.array_equal(heard.reshape(-1, columns).any(axis=1), heard.reshape(-1, columns).all(axis=1))
        assert np.array_equal(heard, ~np.isnan(one.numbers[:, 0]))
        loud.append(one.numbers[heard, 1:].max())
        quiet.extend(one.numbers[~heard, 1:].mean(axis=1))
    assert len(quiet) and np.mean(loud) > np.mean(quiet) + 1.0


@pytest.mark.skipif(not heard_patches.speaks(), reason="espeakng-loader is not installed")
def test_words_are_in_the_order_of_the_sentence():
    one = HeardPatches(speech=1.0)(0, AUDIO)
    said = one.words.reshape(AUDIO.grid[0], -1, len(heard_patches.WORDS)).any(axis=1)
    assert (said.sum(axis=1) <= 1).all() and said.any()
    began = one.numbers[:: AUDIO.grid[1], 0]
    assert (np.diff(began[~np.isnan(began)]) >= 0).all()


@pytest.mark.parametrize("make, media", [(SeenPatches(), IMAGE), (HeardPatches(speech=0.0), AUDIO)])
def test_the_same_number_is_the_same_medium_in_any_process(make, media):
    first, again = make(7, media), pickle.loads(pickle.dumps(make))(7, media)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
