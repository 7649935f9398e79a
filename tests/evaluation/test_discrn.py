"""DisCRn: every name of an input, and what is no name of it."""

import pytest

from unified_io.errors import DataError
from unified_io.evaluation.discrn import DISCRN, Truth, right

AV, IP = ("audio", "video"), ("image", "point_cloud")


@pytest.mark.parametrize(
    ("said", "side", "kinds", "score"),
    [
        ("The first one.", 0, AV, 1),
        ("left", 0, AV, 1),
        ("second", 0, AV, 0),
        ("the right one", 1, AV, 1),
        ("1", 0, AV, 1),
        ("2", 0, AV, 0),
        ("The sound!", 0, AV, 1),
        ("the sound", 1, AV, 0),
        ("The video", 1, AV, 1),
        ("a photo", 0, IP, 1),
        ("The 3D model", 1, IP, 1),
        ("model", 0, IP, 0),
        ("A", 0, AV, 1),
        ("(b)", 1, AV, 1),
        ("input a", 0, AV, 1),
        ("Input B is louder", 1, AV, 1),
        ("a dog", 0, AV, 0),
        ("It is a dog", 0, AV, 0),
        ("b", 0, AV, 0),
        ("first or second", 1, AV, 1),
        ("", 0, AV, 0),
    ],
)
def test_names_of_inputs(said, side, kinds, score):
    assert right(said, Truth(side, kinds)) == score
    assert DISCRN.total([said], [Truth(side, kinds)]) == score


@pytest.mark.parametrize("truth", [Truth(2, AV), Truth(0, ("image", "image"))])
def test_refuses_a_truth_that_is_none(truth):
    with pytest.raises(DataError, match="two different modalities"):
        right("first", truth)
