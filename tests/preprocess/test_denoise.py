import numpy as np
import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.preprocess import denoise
from unified_io.preprocess.denoise import (
    R,
    Spans,
    X,
    corrupt,
    enlarge,
    hide_spans,
    hide_words,
    keep_patches,
    keep_some,
    restore,
)
from unified_io.vocab import sentinel_word


def test_the_example_of_the_docstring():
    hidden = np.array([False, True, True, False])
    inputs, targets = corrupt(["a", "quick", "brown", "fox"], hidden, sentinel_word)
    assert inputs == ["a", "<extra_id_0>", "fox"]
    assert targets == ["<extra_id_0>", "quick", "brown"]


@pytest.mark.parametrize("spans", [*R, *X])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 40, 512])
def test_corrupted_text_can_be_restored(spans, length):
    rng = np.random.default_rng(length)
    for _ in range(20):
        hidden = hide_spans(length, spans, rng)
        assert hidden.shape == (length,) and hidden.any()
        assert length == 1 or not hidden.all()
        tokens = [f"w{i}" for i in range(length)]
        inputs, targets = corrupt(tokens, hidden, sentinel_word)
        assert targets and restore(inputs, targets, sentinel_word) == tokens
        assert len(set(inputs)) == len(inputs)


def test_rates_and_span_lengths_are_those_asked_for():
    rng = np.random.default_rng(0)
    for spans in (Spans(0.15, 3), Spans(0.5, 8)):
        draws = [hide_spans(400, spans, rng) for _ in range(200)]
        assert np.mean(draws) == pytest.approx(spans.rate, abs=0.01)
        starts = sum(int(d[0]) + int((np.diff(d.astype(int)) == 1).sum()) for d in draws)
        assert np.sum(draws) / starts == pytest.approx(spans.mean, rel=0.05)
        # Every place is as likely to be hidden as another, the ends a little less clear-cut.
        assert np.mean(draws, axis=0).max() < spans.rate + 0.15


@pytest.mark.parametrize("spans", [*R, *X])
@pytest.mark.parametrize("sizes", [[1], [9], [1, 1], [3, 1], [1, 2, 1], [2] * 40, [1, 5, 2, 1] * 30])
def test_words_go_with_their_first_token(spans, sizes):
    for seed in range(20):
        hidden = hide_words(sizes, spans, np.random.default_rng(seed))
        assert hidden.shape == (len(sizes),) and hidden.any() and (len(sizes) == 1 or not hidden.all())
        tokens = hide_spans(sum(sizes), spans, np.random.default_rng(seed))
        firsts = tokens[np.cumsum([0, *sizes[:-1]])]
        if firsts.any() and not firsts.all():
            np.testing.assert_array_equal(hidden, firsts)


def test_no_words_can_not_be_hidden():
    with pytest.raises(DataError, match="no text"):
        hide_words([], R[0], np.random.default_rng(0))


@pytest.mark.parametrize("rate, mean", [(-0.1, 3), (1.1, 3), (0.5, 0.5), (float("nan"), 3)])
def test_impossible_spans_are_an_error(rate, mean):
    with pytest.raises(ConfigError, match="rate from 0 to 1"):
        Spans(rate, mean)


def test_never_more_spans_than_sentinels():
    hidden = hide_spans(5000, Spans(0.5, 1), np.random.default_rng(0), most=200)
    assert int(hidden[0]) + int((np.diff(hidden.astype(int)) == 1).sum()) <= 200


def test_ids_can_be_corrupted_like_words():
    inputs, targets = corrupt([5, 6, 7], np.array([True, False, True]), lambda k: 1000 - k)
    assert (inputs, targets) == ([1000, 6, 999], [1000, 5, 999, 7])


def test_a_suffix_is_what_comes_next():
    rng = np.random.default_rng(0)
    for length in (2, 3, 50):
        tokens = list(range(length))
        for _ in range(30):
            given, rest = denoise.split_suffix(tokens, rng)
            assert given and rest and [*given, *rest] == tokens
    with pytest.raises(DataError, match="can not be cut"):
        denoise.split_suffix([1], rng)


def test_some_are_kept_and_some_are_hidden():
    rng = np.random.default_rng(0)
    for count in (2, 3, 16):
        for rate in (0.0, 0.4, 1.0):
            keep = keep_some(count, rate, rng)
            assert 0 < keep.sum() < count
    assert keep_some(1, 0.9, rng).all()
    assert np.mean([keep_some(20, 0.7, rng).mean() for _ in range(100)]) == pytest.approx(0.3)


def test_patches_are_hidden_whole():
    rng = np.random.default_rng(0)
    mask = keep_patches((32, 24), (4, 3), 0.5, rng)
    cells = mask.reshape(4, 8, 3, 8)
    assert mask.shape == (32, 24) and (cells == cells[:, :1, :, :1]).all()
    assert (~mask).sum() == 6 * 64
    rows = keep_patches((64, 32), (8, 4), 0.5, rng, rows=True)
    assert (rows == rows[:, :1]).all() and rows.mean() == 0.5


def test_a_mask_is_enlarged_cell_by_cell():
    np.testing.assert_array_equal(
        enlarge(np.array([[True, False]]), (2, 4)), [[True, True, False, False], [True, True, False, False]]
    )


def test_the_same_seed_hides_the_same():
    draws = [hide_spans(60, R[0], np.random.default_rng(4)) for _ in range(2)]
    np.testing.assert_array_equal(*draws)
