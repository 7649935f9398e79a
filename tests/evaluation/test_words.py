"""Error rates against our own edit distance, BLEU and chrF against what must hold."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import ConfigError
from unified_io.evaluation import words
from unified_io.evaluation.text import normalise

pytest.importorskip("jiwer")
pytest.importorskip("sacrebleu")

TEXTS = st.lists(st.sampled_from(["one", "two", "three"]), max_size=6).map(" ".join)


def _distance(a, b):
    row = np.arange(len(b) + 1)
    for i, x in enumerate(a, 1):
        last, row = row, np.full(len(b) + 1, i)
        for j, y in enumerate(b, 1):
            row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
    return int(row[-1])


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_errors_are_edit_distances(made, true):
    assert words.word_errors(made, true) == (_distance(made.split(), true.split()), len(true.split()))
    assert words.letter_errors(made, true) == (_distance(made, true), len(true))


def test_the_rate_is_that_of_the_set():
    made, true = ["one two", "x"], ["one two", "one two three"]
    assert words.WER.total(made, true) == pytest.approx(3 / 5)
    assert words.CER.total(["abc"], ["abd"]) == pytest.approx(1 / 3)
    assert words.WER.total(true, true) == words.WER.best
    assert words.WER.total(["", ""], true) == words.WER.worst


def test_case_and_punctuation_do_not_count():
    assert words.WER.total(["One, TWO!"], ["one two"]) == 0.0
    assert normalise("One, TWO!") == "one two"


def test_the_nearest_of_several_references_counts():
    assert words.WER.total(["one two"], [["two", "one two", "three four"]]) == 0.0


def test_nothing_said_where_there_is_nothing():
    assert words.WER.total([""], [""]) == 0.0
    assert words.WER.total(["one"], [""]) == 1.0
    assert words.WER.total(["one", "two"], ["", "two"]) == 1.0  # one error on one word


def test_bleu_and_chrf():
    texts = ["the small cat sits on the mat", "two dogs run in the park today"]
    assert words.BLEU.total(texts, texts) == pytest.approx(100.0)
    assert words.CHRF.total(texts, texts) == pytest.approx(100.0)
    assert words.BLEU.total(["xyz", "xyz"], texts) == pytest.approx(0.0, abs=1e-6)
    # As many references as each has; a copy of any will do.
    several = [[texts[0]], ["a dog runs", texts[1]]]
    assert words.BLEU.total(texts, several) == pytest.approx(100.0)
    worse = words.BLEU.total(["the small cat sits on a mat", texts[1]], texts)
    assert 0.0 < worse < 100.0


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jiwer", None)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ConfigError, match=r"unified-io\[metrics\]"):
        words.WER.total(["a"], ["a"])
    with pytest.raises(ConfigError, match="BLEU scores need sacrebleu"):
        words.BLEU.total(["a"], ["a"])
