"""Digits that count on, and one digit drawn several times: in order, of one digit, untouched where they are judged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tasks.digits import source, words
from data_tasks.digits.stock import LENGTHS, split
from tests.data_tasks.fakes import IMAGES, small_stock, spoken

COUNTED = ("images", "sounds", "captions", "remarks", "heard", "told", "label")
KEYS = {"counts": COUNTED, "views": ("images", "label")}


@pytest.fixture(scope="module", autouse=True)
def digits():
    with small_stock():
        yield


def read(view, name="train", count=60, seed=0, **config):
    reader = source.DigitsReader(source.DigitsSource(**config), view, KEYS[view], stream=view)
    rows = reader.get_dataset(name, seed=seed).take(count).as_numpy_iterator()
    return [dict(row) for row in rows]


def steps_of(labels):
    return {int(step) for step in np.diff(labels) % 10}


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_count_goes_on_by_one_or_two(name):
    drawn = read("counts", name)
    assert {len(raw["label"]) for raw in drawn} == {*range(LENGTHS[0], LENGTHS[1] + 1)}
    assert set().union(*(steps_of(raw["label"]) for raw in drawn)) == {1, 2, 8, 9}
    for raw in drawn:
        assert len(steps_of(raw["label"])) == 1
        assert {len(raw[key]) for key in COUNTED} == {raw["length"]}


@pytest.mark.parametrize("name", ["train", "test"])
def test_what_is_seen_heard_and_said_is_of_one_digit(name):
    shown = source.DigitsSource().stock(name)
    for raw in read("counts", name):
        assert [words.parse(text.decode()) for text in raw["captions"]] == raw["label"].tolist()
        assert [spoken(sound) for sound in raw["sounds"]] == raw["label"].tolist()
        assert raw["images"].shape[1:] == (32, 32, 3)
        if name == "test":
            for image, digit in zip(raw["images"], raw["label"], strict=True):
                assert any(np.array_equal(image[..., 0], shown.large[i]) for i in shown.images_of[digit])


def test_some_digits_of_a_count_are_not_heard_and_some_not_named():
    drawn = read("counts", count=200)
    for key in ("heard", "told"):
        assert 0.7 < np.mean(np.concatenate([raw[key] for raw in drawn])) < 0.9
    assert any(np.any(raw["heard"] != raw["told"]) for raw in drawn)


def test_shuffled_digits_are_unrelated():
    drawn = read("counts", count=60, shuffled_pairs=True)
    agree = [
        spoken(s) == words.parse(t.decode())
        for raw in drawn
        for s, t in zip(raw["sounds"], raw["captions"], strict=True)
    ]
    assert np.mean(agree) < 0.3
    assert any(len({*raw["label"]}) > 1 for raw in read("views", shuffled_pairs=True))


@pytest.mark.parametrize("view", KEYS)
def test_evaluation_gives_every_image_once_the_same_whatever_the_seed(view):
    first, second = (read(view, "validation", count=10**6, seed=seed) for seed in (0, 1))
    assert len({raw["id"] for raw in first}) == len(first) == IMAGES["validation"]
    for one, other in zip(first, second, strict=True):
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
    place = {"counts": -1, "views": 0}[view]  # the one that is asked for; the first of several pictures
    large = source.DigitsSource().stock("validation").large
    for raw, image in zip(first, large, strict=True):
        np.testing.assert_array_equal(raw["images"][place, ..., 0], image)


@pytest.mark.parametrize("view", KEYS)
def test_training_never_repeats_and_follows_its_seed(view):
    drawn, again, other = (read(view, seed=seed) for seed in (1, 1, 2))
    assert len({raw["images"].tobytes() for raw in drawn}) == len(drawn)
    assert [r["images"].tobytes() for r in drawn] == [r["images"].tobytes() for r in again]
    assert [r["id"] for r in drawn] != [r["id"] for r in other]


@pytest.mark.parametrize("name", ["train", "test"])
def test_views_are_of_one_digit_and_differ(name):
    for raw in read("views", name):
        assert len({*raw["label"]}) == 1 and LENGTHS[0] <= len(raw["images"]) <= LENGTHS[1]
        assert len({image.tobytes() for image in raw["images"]}) == len(raw["images"])


@given(st.lists(st.integers(0, 4), max_size=6))
def test_sequences_are_laid_out_and_padded_behind_their_ends(lengths):
    flat = np.arange(1, sum(lengths) + 1)
    rows = split(flat, np.array(lengths, int))
    assert rows.shape == (len(lengths), max(lengths, default=0))
    np.testing.assert_array_equal(
        np.concatenate([np.zeros(0), *(row[:n] for row, n in zip(rows, lengths, strict=True))]), flat
    )
    assert not any(row[n:].any() for row, n in zip(rows, lengths, strict=True))
