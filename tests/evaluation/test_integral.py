"""The hidden and the integral metric by hand."""

import math

import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.integral import WEIGHTS, hidden, integral, kind_of


def test_hidden_is_one_by_the_perplexity():
    log_probs = [math.log(0.5), math.log(0.125)]
    perplexity = math.exp(-sum(log_probs) / 2)
    assert hidden(log_probs) == pytest.approx(0.25) == pytest.approx(1 / perplexity)
    assert hidden([0.0]) == 1.0
    assert hidden([-math.inf, -1.0]) == 0.0
    assert hidden([math.log(0.5)] * 7) == pytest.approx(0.5)  # length does not count


def test_the_released_helper_is_another_number():
    assert 1 / 2 ** -math.log(0.25) != pytest.approx(hidden([math.log(0.25)]))


@pytest.mark.parametrize("wrong", [[], [0.1], [math.nan], [[-1.0]]])
def test_refuses_what_are_no_log_probabilities(wrong):
    with pytest.raises(DataError, match="0 or less"):
        hidden(wrong)


def test_kinds_of_dialogs():
    assert [kind_of(m) for m in ((), {"image"}, ["audio"], ["audio", "image"])] == [*WEIGHTS]
    with pytest.raises(ConfigError, match="kind of dialog 'text_video'"):
        kind_of(["video"])


def test_integral_by_hand():
    scores = {
        "text": [(0.0, 0.0), (1.0, 0.0)],  # mean .25
        "text_image": [(0.5, 0.5)],
        "text_audio": [(1.0, 0.0)],
        "text_image_audio": [(0.2, 0.4), (0.4, 0.2), (0.0, 0.6)],  # mean .3
    }
    assert integral(scores) == pytest.approx(0.1 * 0.25 + 0.2 * 0.5 + 0.3 * 0.5 + 0.4 * 0.3)
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
    assert integral({kind: [(1.0, 1.0)] for kind in WEIGHTS}) == pytest.approx(1.0)


def test_refuses_half_a_contest():
    scores = {kind: [(1.0, 1.0)] for kind in WEIGHTS}
    with pytest.raises(DataError, match="no answers in dialogs of text_audio"):
        integral(scores | {"text_audio": []})
    with pytest.raises(ConfigError, match="'texts'"):
        integral(scores | {"texts": [(1.0, 1.0)]})
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        integral(scores | {"text": [(41.4, 0.5)]})
    with pytest.raises(DataError, match=r"scores of text have shape \[1, 1\]"):
        integral(scores | {"text": [(0.4,)]})
