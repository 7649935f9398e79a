import dataclasses
import re
from collections import Counter

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.preprocess.denoisers import captions
from unified_io.preprocess.denoisers.captions import Captions
from unified_io.preprocess.denoisers.text import restored

TEXTS = ("a dog runs over the very green field", "a cat", "two birds in the blue sky above the trees")
MARKS = ("<image_history_1>", "<image_history_2>", "<image_input>")


def way_of(example: dict) -> str:
    if example["text_inputs"].startswith("[Text] [R] "):
        return "denoise"
    return "all" if example["text_inputs"] == "[Text] [S]" else "one"


def test_three_ways_to_ask(small, binomial):
    record = Captions(tuple(small.picture() for _ in TEXTS), TEXTS)
    drawn = [captions.sample(record, small.objective, seed) for seed in range(10_000)]
    ways = Counter(map(way_of, drawn))
    for way in ("denoise", "one", "all"):
        assert binomial(ways[way], 1 / 3, 10_000), way
    named = Counter()
    for example in drawn:
        np.testing.assert_array_equal(example["image_inputs"], record.images[2])
        np.testing.assert_array_equal(example["image_history_inputs"], record.images[:2])
        target = example["text_targets"]
        if way_of(example) == "all":
            assert target == " ".join(word for pair in zip(MARKS, TEXTS, strict=True) for word in pair)
            continue
        mark, rest = re.match(r"\[Text\] \[[RS]\] (<image_\w+>)(.*)", example["text_inputs"]).groups()
        named[way_of(example), mark] += 1
        if way_of(example) == "one":
            assert target == TEXTS[MARKS.index(mark)] and not rest
        else:
            assert restored(rest, " " + target) == " " + TEXTS[MARKS.index(mark)]
    for mark in MARKS:
        assert binomial(named["one", mark], 1 / 3, ways["one"])
    assert binomial(named["denoise", MARKS[0]], 1 / 2, ways["denoise"])
    assert named["denoise", MARKS[1]] == 0  # too short to hide some of


def test_short_captions_are_only_made(small):
    record = Captions((small.picture(), small.picture()), ("a", "b"))
    ways = {way_of(captions.sample(record, small.objective, seed)) for seed in range(60)}
    assert ways == {"one", "all"}
    with pytest.raises(DataError, match="no caption has 8 tokens"):
        captions.sample(record, dataclasses.replace(small.objective, interleaved={"denoise": 1.0}), 0)


def test_long_captions_are_cut_so_that_all_of_them_fit(small):
    record = Captions(tuple(small.picture() for _ in range(5)), (" ".join(["word"] * 99),) * 5)
    for seed in range(60):
        example = captions.sample(record, small.objective, seed)
        assert len(small.written(example)) == 1
        assert small.fits(example)
        if way_of(example) == "all":
            assert example["text_targets"].count("<image_") == 5


def test_the_same_seed_gives_the_same_example(small):
    record = Captions(tuple(small.picture() for _ in TEXTS), TEXTS)
    for seed in range(20):
        first, second = (captions.sample(record, small.objective, seed) for _ in range(2))
        assert (
            first["text_inputs"] == second["text_inputs"] and first["text_targets"] == second["text_targets"]
        )


def test_bad_records_are_errors(small):
    picture = small.picture()
    with pytest.raises(DataError, match="a single one is a Clip"):
        Captions((picture,), ("a",))
    with pytest.raises(DataError, match="1 captions"):
        Captions((picture, picture), ("a",))
    with pytest.raises(DataError, match="no words"):
        Captions((picture, picture), ("a", " "))
    with pytest.raises(DataError, match="no pixels"):
        Captions((picture, np.zeros((0, 0, 3))), ("a", "b"))
    with pytest.raises(DataError, match="at most 5"):
        captions.sample(Captions((picture,) * 6, ("a",) * 6), small.objective, 0)
