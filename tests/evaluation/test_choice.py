"""Choosing by likelihood, and benchmarks of choices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation import choice


def test_the_likeliest_option_with_and_without_lengths():
    assert choice.choose([3.0, 2.0, 2.5]) == 1
    assert choice.choose([3.0, 2.0, 2.5], [6, 2, 2]) == 0  # .5, 1, 1.25 a token
    assert choice.choose([1.0, 1.0]) == 0
    assert choice.choose([np.inf, 5.0]) == 1


def test_an_option_is_right_or_wrong():
    assert choice.CHOICE.total(["a+b", "a+b"], ["a+b", "a-b"]) == 0.5


@pytest.mark.parametrize("losses", [[], [np.nan, 1.0], [[1.0]]])
def test_refuses_losses_that_are_none(losses):
    with pytest.raises(DataError, match="one number an option"):
        choice.choose(losses)


@pytest.mark.parametrize("lengths", [[1], [0, 2]])
def test_refuses_lengths_that_do_not_fit(lengths):
    with pytest.raises(DataError, match="length of 1 or more"):
        choice.choose([1.0, 2.0], lengths)


@pytest.mark.parametrize(
    ("answer", "yes"),
    [
        ("Yes", True),
        ("no", False),
        ("There is not.", False),
        ("Yes, there is. No doubt.", True),
        ("nothing", True),
        ("", True),
    ],
)
def test_reads_yes_as_pope_does(answer, yes):
    assert choice.says_yes(answer) is yes


def test_pope_by_hand():
    # yes/yes twice, yes/no once, no/yes once, no/no twice
    found = choice.pope(["yes", "yes", "yes", "no", "no", "no"], ["yes", "yes", "no", "yes", "no", "no"])
    assert found == {
        "accuracy": pytest.approx(4 / 6),
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "yes": 0.5,
    }


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_pope_against_counting(pairs):
    said, true = (["yes" if p[i] else "no" for p in pairs] for i in (0, 1))
    found = choice.pope(said, true)
    hits = sum(a and b for a, b in pairs)
    wrong = sum(a != b for a, b in pairs)
    assert (
        found["accuracy"] == pytest.approx(1 - wrong / len(pairs)) == choice.POPE_ACCURACY.total(said, true)
    )
    assert found["f1"] == pytest.approx(2 * hits / (2 * hits + wrong) if hits else 0.0)
    assert choice.POPE_F1.total(said, true) == found["f1"]
    assert all(0.0 <= value <= 1.0 for value in found.values())


def test_whoever_always_says_yes_is_right_half_of_the_time():
    found = choice.pope(["yes"] * 4, ["yes", "no"] * 2)
    assert (found["accuracy"], found["recall"], found["yes"]) == (0.5, 1.0, 1.0)


def test_circular_wants_all_orders():
    assert choice.rotations(["a", "b", "c"]) == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]
    assert choice.circular(["cat", "Cat.", "cat"], "cat") == 1.0
    assert choice.circular(["cat", "dog", "cat"], "cat") == 0.0
    assert choice.circular(["A", "C", "B"], ["A", "C", "B"]) == 1.0
    assert choice.CIRCULAR.total([["A", "B"], ["A", "A"]], [["A", "B"], ["A", "B"]]) == 0.5
    with pytest.raises(DataError, match="orders"):
        choice.circular(["A"], ["A", "B"])
    with pytest.raises(DataError, match="orders"):
        choice.circular([], "A")


def test_expected_answers_about_a_picture():
    assert choice.expected_share(["Yes", "red", "3"], ["yes", "blue", "3"]) == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="at least one"):
        choice.expected_share([], [])


def test_means_of_kinds():
    assert choice.by_kind([1.0, 0.0, 1.0], ["count", "place", "place"]) == {"count": 1.0, "place": 0.5}
    with pytest.raises(DataError, match="one each"):
        choice.by_kind([1.0], [])


def test_refuses_answers_without_questions():
    with pytest.raises(DataError, match="at least one"):
        choice.pope([], [])
