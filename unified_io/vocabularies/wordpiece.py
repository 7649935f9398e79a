"""WordPiece, the text vocabulary of BERT and of the Q-Formers that grew out of it. Knows ids, not who reads them."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unified_io.errors import ConfigError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNKNOWN, BEGIN, END = "[UNK]", "[CLS]", "[SEP]"


@dataclass(frozen=True, kw_only=True)
class WordPieceVocabulary:
    """Words in lower case, without accents, cut into the longest pieces that a list holds.

    Attributes:
      path: A list of pieces, one a line, as BERT's `vocab.txt`.
      length: Ids a text has at most, its begin and end among them.
    """

    path: str
    length: int = 128

    def __post_init__(self):
        if self.length < 3:
            raise ConfigError(f"length is {self.length}; begin, end and one piece need 3")

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text; one that is too long loses its beginning, not its end.

            of length 5:  describe the small dog  ->  [CLS] the small dog [SEP]

        Raises:
          ConfigError: The list of pieces is missing, or is no such list.
        """
        tokenizer = _tokenizer(self.path)
        pieces = tokenizer.encode(text, add_special_tokens=False).ids[-(self.length - 2) :]
        return [tokenizer.token_to_id(BEGIN), *pieces, tokenizer.token_to_id(END)]

    def batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids and mask of some texts, all of `length`; True = a real token, id 0 elsewhere."""
        ids = np.zeros((len(texts), self.length), np.int32)
        mask = np.zeros(ids.shape, bool)
        for row, text in enumerate(texts):
            encoded = self.encode(text)
            ids[row, : len(encoded)], mask[row, : len(encoded)] = encoded, True
        return ids, mask


@functools.lru_cache(maxsize=8)
def _tokenizer(path: str) -> "Tokenizer":
    try:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    except ImportError as error:
        raise ConfigError("WordPiece needs the package `tokenizers`; pip install tokenizers") from error
    if not Path(path).is_file():
        raise ConfigError(
            f"no list of pieces at {path!r}; give the vocab.txt of BERT (uncased), which Q-Formers read with"
        )
    tokenizer = Tokenizer(models.WordPiece.from_file(path, unk_token=UNKNOWN, max_input_chars_per_word=100))
    missing = [word for word in (UNKNOWN, BEGIN, END) if tokenizer.token_to_id(word) is None]
    if missing:
        raise ConfigError(f"{path} has no {', '.join(missing)}; is it BERT's vocab.txt?")
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer
