"""The text vocabulary: words to ids and back, and the one table of special ids.

Knows spellings and ids; what a location or a sentinel stands for is the business of others.
"""

import dataclasses
import functools
import importlib.resources
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from unified_io.errors import ConfigError, DataError, unknown
from unified_io.pieces import spelled

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

PAD = BOS = 0
EOS = 1
UNK = 2

LLAMA_PIECES = 32000

LOCATION_BINS = 1000
SENTINELS = 200
HISTORY_MARKERS = 8
PREFIXES = (
    "[Text] [S]",
    "[Text] [R]",
    "[Text] [X]",
    "[Image] [S]",
    "[Image] [R]",
    "[Audio] [S]",
    "[Audio] [R]",
)


def sentinel_word(k: int) -> str:
    """Spells the sentinel of the k-th denoised span, k from 0."""
    return f"<extra_id_{k}>"


def location_word(bin: int) -> str:
    """Spells one of the 1000 coordinate bins, 0 to 999. Bins are numbered behind the sentinels."""
    return f"<extra_id_{SENTINELS + bin}>"


def plain_text(text: str) -> str:
    """Parts what would be read as special words, so that a text from elsewhere is nothing but text.

    plain_text("see <extra_id_5>") = "see < extra_id_5>"
    """
    return _LOOKS_SPECIAL.sub(r"\g<0> ", text)


SPECIAL_WORDS = (
    *(location_word(bin) for bin in reversed(range(LOCATION_BINS))),
    *(sentinel_word(k) for k in reversed(range(SENTINELS))),
    *(f"<{kind}_history_{i + 1}>" for i in range(HISTORY_MARKERS) for kind in ("image", "audio")),
    "<image_input>",
    "<audio_input>",
    *PREFIXES,
)
"""Every special word, in the order of their ids, which follow the pieces of the tokenizer."""

_LOOKS_SPECIAL = re.compile(r"<(?=extra_id_|image_|audio_)|\[(?=(?:Text|Image|Audio)\] \[)")
_OFFSETS = {word: offset for offset, word in enumerate(SPECIAL_WORDS)}

Ids = TypeVar("Ids", int, np.ndarray)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """A SentencePiece model in LLaMA's layout, followed by the special words.

        ids of the released models (base_size 32000)
        0 1 2            <s> (also padding and start), </s>, <unk>
        3 .. 31999       pieces
        32000 .. 32999   <extra_id_1199> .. <extra_id_200>: location tokens, descending
        33000 .. 33199   <extra_id_199> .. <extra_id_0>: sentinels, descending
        33200 .. 33215   <image_history_1>, <audio_history_1>, <image_history_2> ..
        33216 33217      <image_input>, <audio_input>
        33218 .. 33224   [Text] [S] .. [Audio] [R]: one token each
        33225 .. 33279   never used; they pad the embedding table

    A special word is recognised at the start of a word only, that is at the start of the text or after a
    space.

    Attributes:
      path: A SentencePiece file, e.g. LLaMA's tokenizer.model; None is the small one of this package.
      base_size: Pieces in that file.
      size: Rows of the embedding table, at least base_size + 1225.

    Raises:
      ConfigError: The table is too small, or on first use: the file is missing or not what base_size says.

    Source: the released Unified-IO 2 vocabulary; with its base_size and size the ids are the same.
    """

    path: str | None = None
    base_size: int = 2048
    size: int = 3328

    def __post_init__(self):
        if self.used_size > self.size:
            raise ConfigError(
                f"vocabulary of {self.base_size} pieces and {len(SPECIAL_WORDS)} special tokens does not fit "
                f"a table of size {self.size}; set size to at least {self.used_size}"
            )

    @classmethod
    def least_size(cls, base_size: int) -> int:
        """Returns how many ids a tokenizer of `base_size` pieces needs with the special words."""
        return base_size + len(SPECIAL_WORDS)

    @property
    def used_size(self) -> int:
        """How many ids mean something; ids from here to `size` pad the table."""
        return self.least_size(self.base_size)

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text, without EOS."""
        return _processor(self.path, self.base_size).encode(text)

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        """Returns the text up to the first EOS.

        Special ids come back as their words, ids that only pad the table as the unknown piece.

        Raises:
          DataError: An id is negative or past the table.
        """
        kept = []
        for id in np.asarray(ids).tolist():
            if not 0 <= id < self.size:
                raise DataError(f"token {id} is outside the vocabulary of size {self.size}")
            if id == EOS:
                break
            kept.append(id if id < self.used_size else UNK)
        return _processor(self.path, self.base_size).decode(kept)

    def pieces(self) -> dict[bytes, list[int]]:
        """As `pieces.spelled`."""
        return spelled(_processor(self.path, self.base_size), self.used_size)

    def special_id(self, word: str) -> int:
        """Returns the id of a special word, e.g. "<image_input>"."""
        if word not in _OFFSETS:
            raise unknown("special word", word, _OFFSETS)
        return self.base_size + _OFFSETS[word]

    def prefix_id(self, prefix: str) -> int:
        """Returns the id of a paradigm prefix, e.g. "[Text] [S]"."""
        if prefix not in PREFIXES:
            raise unknown("prefix", prefix, PREFIXES)
        return self.special_id(prefix)

    @property
    def location_ids(self) -> range:
        """The ids of the location tokens, from bin 999 down to bin 0."""
        return range(self.base_size, self.base_size + LOCATION_BINS)

    def is_location(self, ids: Ids) -> Ids:
        """Tells location tokens from others; works on numbers and arrays."""
        return (ids >= self.location_ids.start) & (ids < self.location_ids.stop)

    def location_id(self, bin: Ids) -> Ids:
        """Returns the id of a coordinate bin, or of an array of them; larger bins have smaller ids."""
        if np.any((np.asarray(bin) < 0) | (np.asarray(bin) >= LOCATION_BINS)):
            raise DataError(f"location bins go from 0 to {LOCATION_BINS - 1}, got {bin}")
        return self.location_ids[-1] - bin

    def location_bin(self, id: Ids) -> Ids:
        """Returns the bin of a location token, or of an array of them; inverse of `location_id`."""
        if not np.all(self.is_location(np.asarray(id))):
            raise DataError(f"not a location token ({self.location_ids}): {id}; ask is_location first")
        return self.location_ids[-1] - id

    def sentinel_id(self, k: int) -> int:
        """Returns the id of the k-th sentinel, k from 0 to 199."""
        if not 0 <= k < SENTINELS:
            raise DataError(f"sentinels go from 0 to {SENTINELS - 1}, got {k}; denoise fewer spans")
        return self.special_id(sentinel_word(k))

    def image_history_id(self, i: int) -> int:
        """Returns the marker of the i-th earlier image, i from 1 to 8."""
        return self.special_id(f"<image_history_{i}>")

    def audio_history_id(self, i: int) -> int:
        """Returns the marker of the i-th earlier sound, i from 1 to 8."""
        return self.special_id(f"<audio_history_{i}>")

    @property
    def image_input_id(self) -> int:
        """The marker of the current image."""
        return self.special_id("<image_input>")

    @property
    def audio_input_id(self) -> int:
        """The marker of the current sound."""
        return self.special_id("<audio_input>")


@dataclasses.dataclass(frozen=True)
class IdsOnly(Vocabulary):
    """A table too small for words: a model driven by token ids alone, as tiny test models are."""

    @property
    def used_size(self) -> int:
        return self.size

    def encode(self, text: str) -> list[int]:
        raise ConfigError(f"this model's table of {self.size} ids has no words; give token ids")

    def decode(self, ids: Sequence[int] | np.ndarray) -> str:
        raise ConfigError(f"this model's table of {self.size} ids has no words; read the token ids")


@functools.lru_cache(maxsize=8)
def _processor(path: str | None, base_size: int) -> "SentencePieceProcessor":
    """Loads a tokenizer and gives it the released order of control pieces and the special words."""
    from google.protobuf.message import DecodeError
    from sentencepiece import SentencePieceProcessor
    from sentencepiece.sentencepiece_model_pb2 import ModelProto  # pyright: ignore[reportAttributeAccessIssue]

    name = path or "the shipped vocabulary"
    try:
        model = ModelProto.FromString(_read(path))
    except DecodeError as error:
        raise ConfigError(
            f"{name} is not a SentencePiece model; is it complete, is it the right file?"
        ) from error
    if len(model.pieces) != base_size:
        raise ConfigError(
            f"{name} has {len(model.pieces)} pieces but base_size is {base_size}; "
            f"set base_size={len(model.pieces)} and size to at least {len(model.pieces) + len(SPECIAL_WORDS)}"
        )
    first = [piece.piece for piece in model.pieces[:3]]
    if first != ["<unk>", "<s>", "</s>"]:
        raise ConfigError(
            f"{name} starts with {first}, not with <unk>, <s>, </s> as LLaMA's does; "
            "train one in that layout with tools/train_vocabulary.py"
        )
    unknown_piece = model.pieces.pop(0)
    model.pieces.insert(UNK, unknown_piece)
    for word in SPECIAL_WORDS:
        piece = "▁" + word.replace(" ", "▁")
        model.pieces.add(piece=piece, score=0.0, type=ModelProto.SentencePiece.USER_DEFINED)
    return SentencePieceProcessor(model_proto=model.SerializeToString())


def _read(path: str | None) -> bytes:
    if path is None:
        return importlib.resources.files("unified_io.vocabularies").joinpath("small.model").read_bytes()
    if not Path(path).is_file():
        raise ConfigError(
            f"no vocabulary file at {path!r}. Released models write with LLaMA's tokenizer.model, which they may not "
            "bring along: take it from the weights of LLaMA or LLaMA-2 (any size; one file of 500 kB), then put it "
            "into the model's folder, or give from_pretrained(..., tokenizer=PATH). For another vocabulary set its "
            "path, base_size and size; a path of None is the small one of this package"
        )
    return Path(path).read_bytes()
