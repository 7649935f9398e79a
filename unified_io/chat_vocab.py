"""The vocabulary of a language model that others trained: its SentencePiece ids as they are, and added tokens."""

import dataclasses
import functools
import importlib.resources
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unified_io.errors import ConfigError, DataError, unknown
from unified_io.pieces import spelled

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor


@dataclasses.dataclass(frozen=True)
class ChatVocabulary:
    """Words and the tokens of a chat format.

        ids of LLaMA's        0 <unk>, 1 <s>, 2 </s>, 3 .. 31999 pieces, then `added`

    Attributes:
      path: A SentencePiece file, e.g. LLaMA's or Mistral's tokenizer.model; None is the small one of this package.
      added: Spellings of new tokens, numbered behind the pieces.
      size: Rows of the embedding table; None is one for every id.

    Raises:
      ConfigError: On first use: the file is missing, or the table too small.
    """

    path: str | None = None
    added: tuple[str, ...] = ()
    size: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "added", tuple(self.added))  # gin hands lists over

    @property
    def present(self) -> bool:
        """Whether its file is there; one that is not is asked for when words are read or written."""
        return self.path is None or Path(self.path).is_file()

    @property
    def used(self) -> int:
        """Ids that mean something."""
        return self._pieces.get_piece_size() + len(self.added)

    @property
    def rows(self) -> int:
        """Rows of the embedding table."""
        used = self.used
        if self.size is not None and self.size < used:
            raise ConfigError(
                f"the vocabulary has {used} ids but its table {self.size} rows; set size={used}"
            )
        return used if self.size is None else self.size

    def encode(self, text: str) -> list[int]:
        """Returns the ids of words. Nothing in them is a token, whatever it spells."""
        return self._pieces.encode(text)

    def token(self, name: str) -> int:
        """Returns the id of one token: an added one, or a control piece such as "</s>"."""
        if name in self.added:
            return self._pieces.get_piece_size() + self.added.index(name)
        id = self._pieces.piece_to_id(name)
        if not (self._pieces.is_control(id) or self._pieces.is_user_defined(id)):
            raise unknown("token of the vocabulary", name, (*self.added, "<s>", "</s>"))
        return id

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Returns the words; tokens say nothing.

        Raises:
          DataError: An id is negative or past the table.
        """
        pieces, kept = self._pieces.get_piece_size(), []
        for id in np.asarray(ids).tolist():
            if not 0 <= id < self.rows:
                raise DataError(f"token {id} is outside the vocabulary of size {self.rows}")
            if id < pieces and not self._pieces.is_control(id):
                kept.append(id)
        return self._pieces.decode(kept)

    def pieces(self) -> dict[bytes, list[int]]:
        """As `pieces.spelled`; added tokens are no text."""
        return spelled(self._pieces, self._pieces.get_piece_size())

    @property
    def _pieces(self) -> "SentencePieceProcessor":
        return _load(self.path)


@dataclasses.dataclass(frozen=True)
class Instructions:
    """What a connector is told, in the pieces of a chat vocabulary; for connectors without a vocabulary of their own.

    Attributes:
      vocabulary: The pieces.
      length: Ids a text has at most; of a longer one the end is kept.
    """

    vocabulary: ChatVocabulary = ChatVocabulary()
    length: int = 32

    def batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids and mask of some texts, all of `length`; True = a real id, 0 elsewhere."""
        ids = np.zeros((len(texts), self.length), np.int32)
        mask = np.zeros(ids.shape, bool)
        for row, text in enumerate(texts):
            found = self.vocabulary.encode(text)[-self.length :]
            ids[row, : len(found)], mask[row, : len(found)] = found, True
        return ids, mask


@functools.lru_cache(maxsize=8)
def _load(path: str | None) -> "SentencePieceProcessor":
    from sentencepiece import SentencePieceProcessor

    if path is None:
        shipped = importlib.resources.files("unified_io.vocabularies").joinpath("small.model").read_bytes()
        return SentencePieceProcessor(model_proto=shipped)
    if not Path(path).is_file():
        raise ConfigError(
            f"no vocabulary file at {path!r}; it is the tokenizer.model beside the weights of a language model, and "
            "None is the small one of this package"
        )
    try:
        return SentencePieceProcessor(model_file=str(path))
    except RuntimeError as error:
        raise ConfigError(f"{path} is not a SentencePiece model ({error}); is it complete?") from error
