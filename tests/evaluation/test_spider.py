"""SPIDEr: a mean, and never one without SPICE."""

import numpy as np
import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.cider import cider
from unified_io.evaluation.spider import spider

SAID = ["a dog barks", "rain falls on a roof"]
TRUE = [["a dog barks loudly", "a barking dog"], "rain falls"]


def test_is_the_mean_of_both():
    found = spider(SAID, TRUE, [0.2, 0.4])
    np.testing.assert_allclose(found, (cider(SAID, TRUE) + [0.2, 0.4]) / 2)
    assert found[0] != found[1]


@pytest.mark.parametrize("row", [(70.4, 21.0, 45.7), (72.1, 22.0, 47.0), (77.8, 23.0, 50.4)])
def test_published_rows_are_means(row):
    assert (row[0] + row[1]) / 2 == pytest.approx(row[2], abs=0.06)  # AnyMAL on AudioCaps


def test_says_what_it_needs():
    with pytest.raises(ConfigError, match="needs SPICE"):
        spider(SAID, TRUE)


@pytest.mark.parametrize("spice", [[0.2], [20.0, 40.0], [np.nan, 0.1], [[0.1, 0.2]]])
def test_refuses_what_is_no_spice(spice):
    with pytest.raises(DataError, match="not a percentage"):
        spider(SAID, TRUE, spice)
