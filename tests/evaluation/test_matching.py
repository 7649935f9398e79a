"""One-to-one matching, and the score that pays for both kinds of error."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from unified_io.evaluation.matching import match, matched_share

OVERLAPS = arrays.arrays(
    np.float64, st.tuples(st.integers(0, 4), st.integers(0, 4)), elements=st.floats(0, 1)
)


def test_takes_the_best_whole_not_the_best_first():
    # Greedy would take 0.9 and be left with 0.0; the best sum is 0.8 + 0.7.
    rows, columns = match(np.array([[0.9, 0.8], [0.7, 0.0]]))
    assert dict(zip(rows.tolist(), columns.tolist(), strict=True)) == {0: 1, 1: 0}
    assert len(match(np.zeros((2, 3)))[0]) == 0


@given(OVERLAPS)
def test_no_other_matching_is_better(overlap):
    few, many = sorted(overlap.shape)
    wide = overlap if overlap.shape[0] == few else overlap.T
    every = [
        sum(wide[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(many), few)
    ]
    assert overlap[match(overlap)].sum() == pytest.approx(max(every, default=0.0))


@given(OVERLAPS)
def test_the_share_is_bounded_and_symmetric(overlap):
    assert 0.0 <= matched_share(overlap) <= 1.0 + 1e-12
    assert matched_share(overlap) == pytest.approx(matched_share(overlap.T))


def test_of_equal_matchings_the_one_with_more_pairs_is_taken():
    equal = np.array([[0.5, 0.0], [1.0, 0.5]])
    for overlap in (equal, equal.T, equal[::-1], equal[:, ::-1]):
        assert len(match(overlap)[0]) == 2
        assert matched_share(overlap) == 0.5


def test_shares_by_hand():
    assert matched_share(np.eye(3)) == 1.0
    assert matched_share(np.zeros((0, 0))) == 1.0
    assert matched_share(np.zeros((0, 2))) == 0.0
    assert matched_share(np.array([[0.5, 0.0]])) == 0.25  # one found by half, one missed
