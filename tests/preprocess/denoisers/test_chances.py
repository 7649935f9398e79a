import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.preprocess.denoisers.chances import check_part, check_weights, draw


def test_names_are_drawn_by_their_weights(binomial):
    rng = np.random.default_rng(0)
    names = [draw({"R": 2.0, "S": 1.0, "X": 4.0, "never": 0.0}, rng) for _ in range(10_000)]
    for name, chance in (("R", 2 / 7), ("S", 1 / 7), ("X", 4 / 7)):
        assert binomial(names.count(name), chance, len(names))
    assert "never" not in names


@pytest.mark.parametrize(
    "weights, word",
    [
        ({"R": -1.0}, "give 0 or more"),
        ({"R": float("nan")}, "give 0 or more"),
        ({"R": float("inf")}, "give 0 or more"),
        ({"R": 0.0}, "raise one"),
        ({}, "raise one"),
        ({"Q": 1.0}, "'Q'"),
    ],
)
def test_impossible_weights_are_errors(weights, word):
    with pytest.raises(ConfigError, match=word):
        check_weights("paradigm", weights, ("R", "S"))


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_probability_is_from_0_to_1(value):
    check_part("keep", 0.0), check_part("keep", 1.0)
    with pytest.raises(ConfigError, match="from 0 to 1"):
        check_part("keep", value)
