"""CIDEr against the numbers of its released code, and what must hold for any captions."""

import collections
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation.cider import CIDER, cider, words

REFERENCES = [
    ["a red circle above a blue square", "the red circle is over the blue square"],
    ["a green triangle", "one green triangle on gray"],
    ["two yellow stars", "a pair of yellow stars"],
]
CAPTIONS = ["a red circle above a blue square", "a green star", "two yellow stars on gray"]

SENTENCES = st.lists(st.sampled_from(["a", "red", "blue", "cat", "dog", "runs"]), min_size=1, max_size=8).map(
    " ".join
)


def test_golden_numbers_of_pycocoevalcap():
    np.testing.assert_allclose(cider(CAPTIONS, REFERENCES), [6.07779139, 1.62392331, 3.3062437], atol=1e-6)
    assert CIDER.total(CAPTIONS, REFERENCES) == pytest.approx(3.66931947, abs=1e-6)


def _restated(predictions, references):
    """The definition once more, with dense vectors and without any sharing of work."""

    def grams(text, n):
        found = text.split()
        return collections.Counter(tuple(found[i : i + n]) for i in range(len(found) - n + 1))

    scores = []
    for prediction, texts in zip(predictions, references, strict=True):
        each = []
        for text in texts:
            total = 0.0
            for n in range(1, 5):
                made, true = grams(prediction, n), grams(text, n)
                every = sorted(made.keys() | true.keys())
                weights = []
                for gram in every:
                    holds = sum(any(gram in grams(t, n) for t in other) for other in references)
                    weights.append(math.log(len(references)) - math.log(max(1, holds)))
                a, b = (np.array([c[g] for g in every]) * np.array(weights) for c in (made, true))
                norm = np.linalg.norm(a) * np.linalg.norm(b)
                total += np.sum(np.minimum(a, b) * b) / norm if norm else 0.0
            gap = max(0, len(prediction.split()) - 1) - max(0, len(text.split()) - 1)
            each.append(total / 4 * math.exp(-(gap**2) / 72))
        scores.append(10 * np.mean(each))
    return scores


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_the_definition_once_more(examples):
    made, true = [e[0] for e in examples], [e[1] for e in examples]
    np.testing.assert_allclose(cider(made, true), _restated(made, true), atol=1e-9)


def test_a_copy_of_one_reference_is_best_and_repeating_gains_nothing():
    texts = ["a small red cat sits here", "two blue dogs run away fast"]
    assert CIDER.total(texts, texts) == pytest.approx(CIDER.best)
    assert CIDER.total(["zebra zebra", "x y"], texts) == CIDER.worst
    once, often = cider(["red cat", "x"], texts)[0], cider(["red red red red cat", "x"], texts)[0]
    assert often < once


def test_case_and_punctuation_do_not_count():
    assert words("A dog's well-known Ball, no. 3!") == ["a", "dog's", "well-known", "ball", "no", "3"]
    np.testing.assert_allclose(
        cider([text.upper() + "." for text in CAPTIONS], REFERENCES), cider(CAPTIONS, REFERENCES)
    )


def test_an_empty_caption_scores_nothing():
    assert cider([""] * 3, REFERENCES).tolist() == [0.0, 0.0, 0.0]


def test_the_interval_holds_the_score():
    found = CIDER.score(CAPTIONS, REFERENCES)
    assert found.interval[0] <= found.score <= found.interval[1]


def test_refuses_what_can_not_be_scored():
    with pytest.raises(DataError, match="no reference"):
        cider(["a"], [[]])
    with pytest.raises(DataError, match="one each"):
        cider(["a"], [])
