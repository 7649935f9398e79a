"""The table of special ids, and text to ids and back."""

import importlib.util

import numpy as np
import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.vocab import (
    BOS,
    EOS,
    LOCATION_BINS,
    PAD,
    PREFIXES,
    SPECIAL_WORDS,
    UNK,
    Vocabulary,
    location_word,
    plain_text,
    sentinel_word,
)

RELEASED = Vocabulary("tokenizer.model", 32000, 33280)
SHIPPED = Vocabulary()


def test_released_ids():
    assert (PAD, BOS, EOS, UNK) == (0, 0, 1, 2)
    assert RELEASED.location_id(0) == 32999
    assert RELEASED.location_id(999) == 32000
    assert RELEASED.sentinel_id(0) == 33199
    assert RELEASED.sentinel_id(199) == 33000
    assert RELEASED.image_history_id(1) == 33200
    assert RELEASED.audio_history_id(1) == 33201
    assert RELEASED.audio_history_id(8) == 33215
    assert RELEASED.image_input_id == 33216
    assert RELEASED.audio_input_id == 33217
    assert [RELEASED.prefix_id(prefix) for prefix in PREFIXES] == list(range(33218, 33225))
    assert RELEASED.special_id("<extra_id_640>") == 32559
    assert RELEASED.used_size == 33225


def test_spelling_of_the_released_words():
    assert location_word(0) == "<extra_id_200>" and location_word(999) == "<extra_id_1199>"
    assert sentinel_word(0) == "<extra_id_0>"
    assert len(SPECIAL_WORDS) == len(set(SPECIAL_WORDS)) == 1225


def test_every_special_word_is_one_token_with_its_id():
    ids = SHIPPED.encode(" ".join(SPECIAL_WORDS))
    assert ids == [SHIPPED.special_id(word) for word in SPECIAL_WORDS]
    assert ids == list(range(SHIPPED.base_size, SHIPPED.used_size))
    assert SHIPPED.decode(ids) == " ".join(SPECIAL_WORDS)


def test_special_words_count_at_the_start_of_a_word_only():
    assert SHIPPED.encode("word <extra_id_5>")[-1] == SHIPPED.sentinel_id(5)
    assert SHIPPED.sentinel_id(5) not in SHIPPED.encode("word<extra_id_5>")


def test_a_text_from_elsewhere_holds_no_special_word():
    text = plain_text(" ".join(SPECIAL_WORDS))
    assert max(SHIPPED.encode(text)) < SHIPPED.base_size
    assert plain_text(text) == text
    assert plain_text("a <b> [Text] c") == "a <b> [Text] c"


def test_location_ids_and_bins_are_inverse():
    bins = np.arange(LOCATION_BINS)
    ids = SHIPPED.location_id(bins)
    assert sorted(ids.tolist()) == list(SHIPPED.location_ids)
    np.testing.assert_array_equal(SHIPPED.location_bin(ids), bins)
    everything = np.arange(SHIPPED.size)
    np.testing.assert_array_equal(everything[SHIPPED.is_location(everything)], np.sort(ids))


def random_texts(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    alphabet = [chr(c) for c in range(32, 127)] + list("\n\t  éß你😀")
    return ["".join(rng.choice(alphabet, rng.integers(0, 40))) for _ in range(count)]


@pytest.mark.parametrize("text", ["", " two  spaces ", "a\nb\tc", "naïve 你好 😀", "[S] alone", "1 234.5"])
def test_round_trip(text):
    assert SHIPPED.decode(SHIPPED.encode(text)) == text


def test_round_trip_of_any_text():
    for text in random_texts(300):
        ids = SHIPPED.encode(text)
        assert SHIPPED.decode(ids) == text
        assert EOS not in ids and UNK not in ids and PAD not in ids
        assert all(id < SHIPPED.used_size for id in ids)


def test_digits_stand_alone():
    assert len(SHIPPED.encode("a123")) == len(SHIPPED.encode("a")) + 3


def test_everyday_words_are_single_tokens():
    numbers = "zero one two three four five six seven eight nine"
    for word in f"{numbers} image picture sound digit number draw say write which larger box".split():
        assert len(SHIPPED.encode(word)) == 1, word


def test_decode_stops_at_eos():
    ids = SHIPPED.encode("draw a circle")
    assert SHIPPED.decode([*ids, EOS, *ids]) == "draw a circle"
    assert SHIPPED.decode(np.array([EOS, 300])) == ""
    assert SHIPPED.decode([]) == ""


def test_decode_of_ids_without_meaning():
    assert "⁇" in SHIPPED.decode([SHIPPED.used_size, 300])
    for id in (-1, SHIPPED.size):
        with pytest.raises(DataError, match="outside the vocabulary"):
            SHIPPED.decode([id])


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ConfigError, match="at least 3273"):
        Vocabulary(size=3272)
    with pytest.raises(ConfigError, match="no vocabulary file"):
        Vocabulary(str(tmp_path / "no.model")).encode("x")
    with pytest.raises(ConfigError, match="2048 pieces but base_size is 32000"):
        Vocabulary(None, 32000, 33280).encode("x")
    (tmp_path / "text.model").write_text("not a model")
    with pytest.raises(ConfigError, match="not a SentencePiece model"):
        Vocabulary(str(tmp_path / "text.model")).encode("x")
    with pytest.raises(ConfigError, match=r"did you mean '\[Text\] \[S\]'"):
        SHIPPED.prefix_id("[Text][S]")
    with pytest.raises(ConfigError, match="image_history"):
        SHIPPED.image_history_id(9)
    for bad in (-1, 200):
        with pytest.raises(DataError, match="sentinels go from 0 to 199"):
            SHIPPED.sentinel_id(bad)
    with pytest.raises(DataError, match="0 to 999"):
        SHIPPED.location_id(np.array([0, 1000]))
    with pytest.raises(DataError, match="not a location token"):
        SHIPPED.location_bin(SHIPPED.sentinel_id(199))


@pytest.fixture(scope="module")
def tool(root):
    path = root / "tools" / "train_vocabulary.py"
    spec = importlib.util.spec_from_file_location("train_vocabulary", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_training_is_deterministic_and_usable(tool, tmp_path):
    corpus = list(tool.everyday(16))
    model = tool.train(corpus, pieces=700)
    assert model == tool.train(corpus, pieces=700)
    path = tmp_path / "tiny.model"
    path.write_bytes(model)
    vocabulary = Vocabulary(str(path), base_size=700, size=2048)
    assert vocabulary.decode(vocabulary.encode("the larger digit, 42 ✓")) == "the larger digit, 42 ✓"


def test_every_word_of_the_tool_is_one_token(tool):
    words = (tool.OPENERS + tool.OTHERS).split()
    assert [word for word in words if len(SHIPPED.encode(word)) > 1] == []


def test_pieces_are_what_ids_stand_for():
    vocabulary = Vocabulary()
    pieces = vocabulary.pieces()
    ids = [id for some in pieces.values() for id in some]
    assert len(set(ids)) == len(ids) and not {0, 1, 2} & {*ids}
    assert pieces[b" <extra_id_200>"] == [vocabulary.location_id(0)]
    for text in ("cat", "a red cube", "zebra ß 你"):
        assert (
            b"".join(
                next(p for p, some in pieces.items() if id in some) for id in vocabulary.encode(text)
            ).decode()
            == f" {text}"
        )
