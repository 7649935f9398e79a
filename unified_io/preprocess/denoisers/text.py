"""Text cut into words that know how many tokens they take, and UL2's denoisers of it. Knows no media.

Spans are drawn in tokens, as UL2 does, but begin and end between words: the field is a string that is tokenised anew,
where half a word would become other tokens and half a byte-coded character could not be spelled at all. Cut so, a text
comes back to the letter.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from unified_io.errors import ConfigError
from unified_io.preprocess import denoise
from unified_io.preprocess.denoise import Spans
from unified_io.preprocess.denoisers.chances import check_weights
from unified_io.vocab import SENTINELS, Vocabulary, plain_text, sentinel_word

PARADIGMS = ("R", "S", "X")
LEAST_LENGTH = 32

# A word with the space in front of it. What has no spaces (Chinese, a link) is cut every so many letters.
_WORD = re.compile(r"\s*\S{1,24}")
_SENTINEL = re.compile(r"( <extra_id_\d+>)")


class Word(NamedTuple):
    """A word with the space in front of it, its tokens, and whether it is a marker, which is never hidden."""

    text: str
    size: int
    fixed: bool = False


Words = tuple[Word, ...]


@dataclasses.dataclass(frozen=True)
class TextDenoiser:
    """How a text is corrupted.

    Attributes:
      vocabulary: Counts the tokens of a word.
      length: Tokens of a text in the model, prefix and EOS included: the smaller max_length of its input and target.
      short: A text of fewer tokens is never corrupted, only made from the others or continued.
      alone: How often each paradigm is chosen for a text with nothing beside it; UL2 has 2, 1 and 4 denoisers.
      beside: Likewise for a text beside media.
      regular: The spans of [R], chosen among with equal chances.
      extreme: The spans of [X], likewise.
      split: Of a text that is to be continued, the least and the greatest part that is given.

    Source: UL2, section 3.1; Unified-IO 2 says no more than that it follows it.
    """

    vocabulary: Vocabulary = Vocabulary()
    length: int = 512
    short: int = 8
    alone: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"R": 2.0, "S": 1.0, "X": 4.0})
    beside: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"R": 0.5, "S": 0.5})
    regular: tuple[Spans, ...] = denoise.R
    extreme: tuple[Spans, ...] = denoise.X
    split: tuple[float, float] = (0.25, 0.75)

    def __post_init__(self):
        for kind in ("alone", "beside"):
            check_weights(f"paradigm of a text {kind}", getattr(self, kind), PARADIGMS)
        if self.length < LEAST_LENGTH:
            raise ConfigError(f"texts of {self.length} tokens; give a length of {LEAST_LENGTH} or more")
        if not (self.regular and self.extreme):
            raise ConfigError("[R] and [X] need spans; to leave one out give it the weight 0")
        if not 0 <= self.split[0] <= self.split[1] <= 1:
            raise ConfigError(f"split is {self.split}; give two parts from 0 to 1, the smaller one first")

    @property
    def room(self) -> int:
        """Tokens of words beside the prefix and EOS."""
        return self.length - 2

    def cut(self, text: str, room: int, *, at: float = 0.0, space: str = " ") -> Words:
        """Cuts a text into words, and takes as many neighbouring ones as fit into `room` tokens.

        Args:
          text: Any text.
          room: Tokens there are; a text that fits is taken whole.
          at: Where to begin, from 0, the first word, to 1, the last one.
          space: What stands in front of the first word.
        """
        pieces = _WORD.findall(space + plain_text(text).strip()) if text.strip() else []
        start = int(at * len(pieces))
        behind = self._fill(pieces[start:], room)
        room -= sum(word.size for word in behind)
        whole = start + len(behind) == len(pieces)
        before = self._fill(pieces[:start][::-1], room) if whole else []
        return (*before[::-1], *behind)

    def _fill(self, pieces: Sequence[str], room: int) -> list[Word]:
        words = []
        for piece in pieces:
            size = max(1, len(self.vocabulary.encode(piece.removeprefix(" "))))
            room -= size
            if room < 0:
                break
            words.append(Word(piece, size))
        return words

    def paradigms(self, words: Words, alone: bool) -> dict[str, float]:
        """Which paradigms a text can be asked in, and how often each; none of a single word that stands alone."""
        free = [word.size for word in words if not word.fixed]
        weights = {name: w for name, w in (self.alone if alone else self.beside).items() if w > 0}
        if len(free) < 2 or sum(free) < self.short:
            weights = {"S": weights["S"]} if "S" in weights else {}
        return {} if alone and len(free) < 2 else weights

    def corrupt(self, words: Words, paradigm: str, rng: np.random.Generator) -> tuple[str, str]:
        """Hides spans of words in the manner of [R] or [X].

        Returns:
          The text with sentinels in place of the spans, and the sentinels with what they hide; `restored` takes them
          back. Both begin with a space.
        """
        options = self.regular if paradigm == "R" else self.extreme
        free = np.flatnonzero([not word.fixed for word in words])
        hidden = np.zeros(len(words), bool)
        hidden[free] = denoise.hide_words(
            [words[index].size for index in free],
            options[rng.integers(len(options))],
            rng,
            SENTINELS - (len(words) - len(free)),  # a marker cuts a span in two
        )
        inputs, targets = denoise.corrupt([word.text for word in words], hidden, _sentinel)
        return "".join(inputs), "".join(targets)

    def continued(self, words: Words, rng: np.random.Generator) -> tuple[str, str]:
        """Cuts a text in two: what is given, and what comes next."""
        given, rest = denoise.split_suffix(words, rng, *self.split)
        return spelled(given), spelled(rest)


def spelled(words: Sequence[Word]) -> str:
    """Writes words as text; it begins with a space."""
    return "".join(word.text for word in words)


def last(words: Words, room: int) -> Words:
    """Leaves out words at the front until the others fit into `room` tokens; markers stay."""
    spare = room - sum(word.size for word in words if word.fixed)
    kept = []
    for word in reversed(words):
        spare -= 0 if word.fixed else word.size
        if word.fixed or spare >= 0:
            kept.append(word)
    return tuple(reversed(kept))


def restored(inputs: str, targets: str) -> str:
    """Puts what the targets name in place of the sentinels of the inputs; the inverse of `TextDenoiser.corrupt`."""
    cut = [[part for part in _SENTINEL.split(text) if part] for text in (inputs, targets)]
    return "".join(denoise.restore(*cut, _sentinel))


def _sentinel(k: int) -> str:
    return f" {sentinel_word(k)}"
