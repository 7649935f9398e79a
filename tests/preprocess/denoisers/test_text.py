import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import ConfigError
from unified_io.preprocess import denoise
from unified_io.preprocess.denoise import R, X
from unified_io.preprocess.denoisers.text import TextDenoiser, Word, last, restored, spelled
from unified_io.vocab import SENTINELS, Vocabulary

VOCABULARY = Vocabulary()
DENOISER = TextDenoiser(length=512)
MARK = Word(" <image_input>", 1, fixed=True)
CODE = "def f(x):\n    return {'a': x}  # \u65e5\u672c\u8a9e\n\n\tprint(f('quick brown fox'))"
any_text = st.text(max_size=200) | st.lists(st.text(max_size=12), max_size=40).map(" ".join)


def words_of(text: str) -> tuple[Word, ...]:
    return DENOISER.cut(text, DENOISER.room)


@settings(deadline=None, max_examples=200)
@given(any_text)
def test_words_are_the_whole_text(text):
    words = DENOISER.cut(text, 10_000)
    body = spelled(words)
    assert body.removeprefix(" ") == text.strip() or "<" in text or "[" in text
    assert not words or (body[0] == " " and not body[1:2].isspace())
    assert all(word.size > 0 and len(word.text.strip()) <= 24 for word in words)


@settings(deadline=None, max_examples=200)
@given(any_text, st.sampled_from(["R", "X"]), st.integers(0, 9), st.booleans())
def test_a_corrupted_text_comes_back_to_the_letter(text, paradigm, seed, marked):
    words = words_of(text)
    if not words:
        return
    words = (MARK, *words[: len(words) // 2], MARK, *words[len(words) // 2 :]) if marked else words
    inputs, targets = DENOISER.corrupt(words, paradigm, np.random.default_rng(seed))
    assert inputs[0] == targets[0] == " " and "<extra_id_0>" in targets
    assert restored(inputs, targets) == spelled(words)
    assert inputs.count(MARK.text) == 2 * marked and MARK.text not in targets
    hidden = re.findall(r"<extra_id_(\d+)>", targets)
    assert hidden == [str(k) for k in range(len(hidden))] == re.findall(r"<extra_id_(\d+)>", inputs)


@settings(deadline=None, max_examples=100)
@given(any_text, st.sampled_from(["R", "X"]), st.integers(0, 9))
def test_the_model_reads_every_sentinel_and_nothing_is_cut_off(text, paradigm, seed):
    """Also where a span ends in the middle of what has no spaces."""
    denoiser = TextDenoiser(length=64)
    words = denoiser.cut(text * 3, denoiser.room)
    if not words:
        return
    inputs, targets = denoiser.corrupt(words, paradigm, np.random.default_rng(seed))
    for prefix, body in ((f"[Text] [{paradigm}]", inputs), ("", targets.removeprefix(" "))):
        ids = VOCABULARY.encode(prefix + body)
        sentinels = [id for id in ids if id in {VOCABULARY.sentinel_id(k) for k in range(SENTINELS)}]
        assert sentinels == [VOCABULARY.sentinel_id(k) for k in range(body.count("<extra_id_"))]
        assert len(ids) < denoiser.length


def test_code_keeps_its_lines():
    words = words_of(CODE)
    assert spelled(words) == " " + CODE
    assert [word.text for word in words[:3]] == [" def", " f(x):", "\n    return"]
    inputs, targets = DENOISER.corrupt(words, "X", np.random.default_rng(0))
    assert restored(inputs, targets) == " " + CODE


def test_special_words_of_a_text_stay_text():
    text = "<extra_id_0> a <image_input> b [Text] [S] c <image_history_1>"
    ids = VOCABULARY.encode(spelled(words_of(text)))
    assert not {*ids} & {*range(VOCABULARY.base_size, VOCABULARY.size)}
    inputs, targets = DENOISER.corrupt(words_of(text), "R", np.random.default_rng(0))
    assert restored(inputs, targets) == spelled(words_of(text))


def test_as_many_neighbouring_words_are_taken_as_fit():
    text = " ".join(f"word{index}" for index in range(200))
    whole = DENOISER.cut(text, 10_000)
    for at in (0.0, 0.3, 0.999, 1.0):
        some = DENOISER.cut(text, 50, at=at)
        sizes = sum(word.size for word in some)
        assert 50 - max(word.size for word in whole) < sizes <= 50
        first = whole.index(some[0])
        assert some == whole[first : first + len(some)]
        assert DENOISER.cut(text, 10_000, at=at) == whole
    assert DENOISER.cut(text, 50)[0] == whole[0] and DENOISER.cut(text, 50, at=1.0)[-1] == whole[-1]
    assert DENOISER.cut("a b", 9, space="\n")[0].text == "\na"
    assert DENOISER.cut(" \n ", 9) == ()


def test_the_last_words_stay_and_so_do_the_marks():
    words = (MARK, Word(" a", 2), MARK, Word(" b", 2), Word(" c", 2))
    assert last(words, 6) == (MARK, MARK, Word(" b", 2), Word(" c", 2))
    assert last(words, 5) == (MARK, MARK, Word(" c", 2))
    assert last(words, 100) == words
    assert last(words, 0) == (MARK, MARK)


@pytest.mark.parametrize("spans", [*R, *X])
def test_rates_and_span_lengths_are_those_asked_for_in_tokens(spans):
    """A span keeps its tokens to within a word: it begins with the first word that begins in it."""
    denoiser = TextDenoiser(length=2000, regular=(spans,))
    text = " ".join(["the quick brown fox jumps over the lazy extraordinary dog"] * 60)
    words = denoiser.cut(text, denoiser.room)
    total, shares, runs = sum(word.size for word in words), [], []
    assert total > 900
    for seed in range(60):
        _, targets = denoiser.corrupt(words, "R", np.random.default_rng(seed))
        spelled_out = [part for part in re.split(r" <extra_id_\d+>", targets) if part]
        sizes = [sum(word.size for word in denoiser.cut(part, 10_000)) for part in spelled_out]
        shares.append(sum(sizes) / total)
        runs += sizes
        assert len(sizes) <= SENTINELS
    assert np.mean(shares) == pytest.approx(spans.rate, abs=0.02)
    # As many spans as round(hidden / mean); one shorter than a word may hold the start of none.
    wanted = total * spans.rate / round(total * spans.rate / spans.mean)
    assert 0.97 * wanted < np.mean(runs) < 1.5 * wanted


def test_what_is_given_and_what_comes_next_are_the_text():
    words = words_of(" ".join(map(str, range(100))))
    shares = []
    for seed in range(200):
        given_part, rest = DENOISER.continued(words, np.random.default_rng(seed))
        assert given_part and rest and given_part + rest == spelled(words)
        shares.append(len(given_part) / len(given_part + rest))
    assert 0.2 < min(shares) < 0.35 and 0.65 < max(shares) < 0.8


@pytest.mark.parametrize(
    "text, alone, beside",
    [
        ("word", set(), {"S"}),
        ("two words", {"S"}, {"S"}),
        ("a b c d e f g h i j", {"R", "S", "X"}, {"R", "S"}),
    ],
)
def test_a_short_text_is_not_corrupted(text, alone, beside):
    assert DENOISER.paradigms(words_of(text), alone=True).keys() == alone
    assert DENOISER.paradigms(words_of(text), alone=False).keys() == beside


def test_short_counts_tokens():
    words = words_of("a b c d e f g h")
    least = sum(word.size for word in words)
    assert "R" in TextDenoiser(short=least).paradigms(words, alone=True)
    assert "R" not in TextDenoiser(short=least + 1).paradigms((*words, MARK), alone=True)


@pytest.mark.parametrize(
    "wrong, word",
    [
        ({"alone": {"R": -1.0}}, "give 0 or more"),
        ({"beside": {"Q": 1.0}}, "'Q'"),
        ({"length": 8}, "length"),
        ({"regular": ()}, "spans"),
        ({"split": (0.8, 0.2)}, "smaller one first"),
        ({"split": (-0.1, 0.2)}, "from 0 to 1"),
    ],
)
def test_an_impossible_denoiser_is_an_error(wrong, word):
    with pytest.raises(ConfigError, match=word):
        TextDenoiser(**wrong)


@pytest.mark.parametrize(("paradigm", "spans"), [("R", R), ("X", X)])
def test_every_denoiser_of_a_paradigm_is_used_equally_often(paradigm, spans, binomial, monkeypatch):
    drawn, hide = [], denoise.hide_words

    def noted(sizes, chosen, rng, most):
        drawn.append(chosen)
        return hide(sizes, chosen, rng, most)

    monkeypatch.setattr(denoise, "hide_words", noted)
    words, rng = words_of("one two three four five six seven eight nine ten"), np.random.default_rng(0)
    assert all(DENOISER.corrupt(words, paradigm, rng)[1] for _ in range(10_000))
    counts = Counter(drawn)
    assert counts.keys() == set(spans)
    assert all(binomial(count, 1 / len(spans), 10_000) for count in counts.values())
