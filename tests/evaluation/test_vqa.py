"""Answers as the VQA benchmarks compare them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation import vqa

TEN = ["red"] * 2 + ["Blue"] * 5 + ["the green"] * 3


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("The Two dogs!", "2 dogs"),
        ("1,000", "1000"),
        ("2.5 m.", "2.5 m"),
        ("dont know.", "don't know"),
        ("couldntve", "couldntve"),  # two apostrophes missing: not in the table
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("youd've", "you'd've"),
        ("black-white", "black white"),
        ("black - white", "black white"),
        ("yes, sir", "yes sir"),
        ("none", "0"),
        ("a\nman\tand an ox", "man and ox"),
        ("let's go", "let's go"),
        ("somebody'd", "somebodyd"),
        ("", ""),
    ],
)
def test_normalise(raw, wanted):
    assert vqa.normalise(raw) == wanted


def test_votes():
    assert vqa.accuracy("red", TEN) == pytest.approx(2 / 3)
    assert vqa.accuracy("BLUE.", TEN) == 1.0
    assert vqa.accuracy("green", TEN) == 1.0
    assert vqa.accuracy("violet", TEN) == 0.0
    assert vqa.accuracy("red", "red") == pytest.approx(1 / 3)


def _by_definition(answer, answers):
    return np.mean([vqa.accuracy(answer, answers[:i] + answers[i + 1 :]) for i in range(len(answers))])


@given(
    st.lists(st.sampled_from(["red", "blue", "green"]), min_size=2, max_size=12),
    st.sampled_from(["red", "blue"]),
)
def test_leave_one_out_is_the_mean_over_sets_with_one_left_out(answers, answer):
    assert vqa.leave_one_out(answer, answers) == pytest.approx(_by_definition(answer, answers))


def test_leave_one_out_as_it_is_quoted():
    for matches, wanted in [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]:
        assert vqa.leave_one_out("yes", ["yes"] * matches + ["no"] * (10 - matches)) == pytest.approx(wanted)


def test_the_commonest_answer_is_the_best():
    assert vqa.commonest(TEN) == "blue"
    assert vqa.VQA.total([vqa.commonest(TEN)], [TEN]) == vqa.VQA.best


def test_refuses_nobody():
    with pytest.raises(DataError, match="leave the example out"):
        vqa.accuracy("yes", [])
    with pytest.raises(DataError, match="EXACT"):
        vqa.leave_one_out("yes", ["yes"])
