"""WordPiece: BERT's ids, cut from the left."""

import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.vocabularies.wordpiece import WordPieceVocabulary

pytest.importorskip("tokenizers")

PIECES = ["describe", "the", "small", "dog", "##s", "?", "un", "##know", "cafe", "中", "d"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *PIECES]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("wordpiece") / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return str(path)


def words(vocabulary, text):
    return [WORDS[id] for id in vocabulary.encode(text)]


def test_the_example_of_the_docstring(path):
    short = WordPieceVocabulary(path=path, length=5)
    assert words(short, "describe the small dog") == ["[CLS]", "the", "small", "dog", "[SEP]"]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("The small DOGS?", ["the", "small", "dog", "##s", "?"]),
        ("Café", ["cafe"]),
        ("unknown unknow", ["[UNK]", "un", "##know"]),
        ("dog中dog", ["dog", "中", "dog"]),
        ("d" * 101, ["[UNK]"]),
        ("", []),
        (" \t\n dog\x00", ["dog"]),
        ("dog" + "s" * 97, ["dog", *["##s"] * 97]),
        ("dog" + "s" * 98, ["[UNK]"]),
        ("[SEP]", ["[UNK]"] * 3),  # written out it is no end
    ],
)
def test_pieces(path, text, pieces):
    assert words(WordPieceVocabulary(path=path), text) == ["[CLS]", *pieces, "[SEP]"]


def test_a_batch_is_padded(path):
    ids, mask = WordPieceVocabulary(path=path, length=6).batch(["the dog", "the small small small dog"])
    np.testing.assert_array_equal(ids, [[2, 5, 7, 3, 0, 0], [2, 6, 6, 6, 7, 3]])
    np.testing.assert_array_equal(mask.sum(axis=1), [4, 6])


TEXTS = [
    "Describe the small dogs? 中 Café -- d",
    "the " * 200 + "dogs",
    "l'été, 1.5 & naïve; the d-dogs",
    "dog" * 40,
    "",
]


def test_ids_are_those_of_the_bert_tokenizer(path):
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertTokenizer(vocab=path, truncation_side="left")
    ours = WordPieceVocabulary(path=path)
    for text in TEXTS:
        assert ours.encode(text) == theirs(text, truncation=True, max_length=128).input_ids


def test_what_is_no_list_of_pieces_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no list of pieces at .*nowhere.*vocab\.txt of BERT"):
        WordPieceVocabulary(path=str(tmp_path / "nowhere")).encode("dog")
    (tmp_path / "vocab.txt").write_text("dog\n[UNK]\n")
    with pytest.raises(ConfigError, match=r"has no \[CLS\], \[SEP\]"):
        WordPieceVocabulary(path=str(tmp_path / "vocab.txt")).encode("dog")
    with pytest.raises(ConfigError, match="length is 2"):
        WordPieceVocabulary(path="x", length=2)
