"""Partial ratio: by hand, and the thresholds that the augmentation of captions relies on."""

import pytest

from unified_io.evaluation.likeness import partial_ratio


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("a dog", "Look, a dog!", 100.0),
        ("red", "rad car", 100 * 2 / 3),  # one of three letters is another: 2 * 2 / 6 common ones
        ("dogs", "a small dog runs", 75.0),
        ("", "a dog", 0.0),
        ("", "", 0.0),
        ("?", "a dog", 0.0),
    ],
)
def test_by_hand(one, other, alike):
    assert partial_ratio(one, other) == pytest.approx(alike)
    assert partial_ratio(other, one) == pytest.approx(alike)


def test_it_does_not_tell_labels_apart():
    assert partial_ratio("Entity A", "Entity B") > 90
