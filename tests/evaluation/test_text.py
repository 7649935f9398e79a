"""Answers in words."""

import pytest

from unified_io.evaluation.text import exact_match, normalise


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("  The digit SEVEN. ", "the digit seven"),
        ("It's -3.5!", "its -3.5"),
        ("twenty-one", "twenty one"),
        ("3.", "3"),
        ("5 - 3", "5 3"),
        ("ＳＥＶＥＮ", "seven"),
        ("?!", ""),
        ("", ""),
    ],
)
def test_normalise(raw, wanted):
    assert normalise(raw) == wanted
    assert normalise(wanted) == wanted


def test_exact_match_takes_any_reference():
    assert exact_match("Seven!", "seven") == 1.0
    assert exact_match("7", ["seven", "7"]) == 1.0
    assert exact_match("seven eight", ["seven", "eight"]) == 0.0
    assert exact_match("35", "3.5") == 0.0
    assert exact_match("", "seven") == 0.0
