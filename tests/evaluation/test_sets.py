"""Lists of answers in any order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io.evaluation import sets

LISTS = st.lists(st.sampled_from("abcdef"), max_size=6)


def test_by_hand():
    assert sets.f1(["A", "b."], ["b", "c", "d"]) == pytest.approx(2 * 0.5 * (1 / 3) / (0.5 + 1 / 3))
    assert sets.precision_recall(["A", "b."], ["b", "c", "d"]) == (0.5, pytest.approx(1 / 3))
    assert sets.precision_recall([], ["b"]) == sets.precision_recall(["b"], []) == (0.0, 0.0)
    assert sets.f1([], []) == 1.0
    assert sets.f1(None, ["a"]) == 0.0
    assert sets.f1(["a"], []) == 0.0
    assert sets.f1(["a", "a"], ["a"]) == 1.0


@given(LISTS, LISTS)
def test_bounded_symmetric_and_one_for_equals_only(first, second):
    found = sets.f1(first, second)
    assert 0.0 <= found <= 1.0
    assert found == pytest.approx(sets.f1(second, first))
    assert (found == 1.0) == ({*first} == {*second})
