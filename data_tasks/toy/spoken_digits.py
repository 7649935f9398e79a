"""Records of spoken digits, by espeak-ng: synthetic speech, with voices and accents held out."""

import functools

from data_tasks.digits.espeak import Utterance
from data_tasks.digits.voices import CASTS, script
from data_tasks.sources.stored import Record
from data_tasks.toy.speech import Spoken
from unified_io.errors import unknown

LENGTHS = {name: len(cast.accents) * len(cast.variants) * 10 * cast.takes for name, cast in CASTS.items()}


def line(name: str, index: int) -> Utterance:
    """Returns what is said in one example of a split, and by whom.

    Raises:
      ConfigError: There is no such split.
    """
    if name not in CASTS:
        raise unknown("split of spoken digits", name, CASTS)
    return _lines(name)[index]


def word(name: str, index: int) -> Record:
    """Returns the record of one spoken digit; `SPOKEN` makes its sound."""
    said = line(name, index)
    return {"name": said.text, "voice": said.voice, "split": name, "index": index}


SPOKEN = Spoken(line, tuple(LENGTHS.items()))


@functools.lru_cache(maxsize=4)
def _lines(name: str) -> tuple[Utterance, ...]:
    return tuple(script(CASTS[name])[0])
