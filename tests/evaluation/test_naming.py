"""Which class an answer names, by both rules, and what the ranking of padded losses depends on."""

import numpy as np
import pytest

from unified_io.evaluation import choice, naming

CLASSES = ["table", "night_stand", "stand", "sea waves", "sea"]


@pytest.mark.parametrize(
    ("answer", "token", "name"),
    [
        ("It is a table", "table", "table"),
        ("A table.", None, "table"),
        ("A night stand", "stand", "night_stand"),
        ("night_stand", "night_stand", "night_stand"),
        ("Sea waves on a table", "table", "sea waves"),
        ("a stand, not a table", "table", "stand"),
        ("stands", None, None),
        ("", None, None),
    ],
)
def test_both_rules(answer, token, name):
    assert naming.by_token(answer, CLASSES) == token
    assert naming.by_name(answer, CLASSES) == name


def test_of_equals_the_first_class_wins_and_an_empty_name_never_does():
    assert naming.by_name("a b", ["?", "B", "b"]) == "B"


def test_scores():
    truths = [("table", CLASSES), ("night_stand", CLASSES)]
    assert naming.NAMED.total(["table", "night stand"], truths) == 1.0
    assert naming.NAMED_BY_TOKEN.total(["table", "night stand"], truths) == 0.5


def test_a_mean_over_padding_orders_like_the_sum_only_within_a_chunk():
    losses, lengths = np.array([3.0, 2.5, 6.0]), [2, 1, 6]
    assert choice.choose(losses / 6) == choice.choose(losses) == 1
    chunked = np.array([3.0 / 2, 2.5 / 2, 6.0 / 6])  # two chunks, padded to 2 and to 6
    assert choice.choose(chunked) == 2
    assert choice.choose(losses, lengths) == 2
