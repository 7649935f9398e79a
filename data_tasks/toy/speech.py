"""Sentences spoken by espeak-ng: synthetic speech, with voices, accents and sentences held out.

Lines are spoken in batches, each by a fresh process, so that the same line is the same sound to the last bit; what was
spoken is kept in files where the data lie.
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from data_tasks.digits import espeak, espeak_worker
from data_tasks.digits.cache import cached, code
from data_tasks.digits.espeak import Utterance
from data_tasks.digits.voices import CASTS
from data_tasks.sources.mapping import Sound
from data_tasks.sources.stored import Context, Record
from data_tasks.toy.sentences import sentence
from data_tasks.toy.splits import generator
from unified_io.errors import unknown

LENGTHS = {"train": 2048, "validation": 128, "test": 128}
RATES, PITCHES = (140, 200), (35, 65)
BATCH = 16


def line(split: str, index: int) -> Utterance:
    """Returns what is said in one example of a split, and by whom.

    Raises:
      ConfigError: There is no such split.
    """
    if split not in LENGTHS:
        raise unknown("split of speech", split, LENGTHS)
    rng, cast = generator(split, index, "speech"), CASTS[split]
    accent, variant = (names[rng.integers(len(names))] for names in (cast.accents, cast.variants))
    return Utterance(
        sentence(split, rng),
        f"gmw/{accent}+{variant}",
        int(rng.integers(*RATES)),
        int(rng.integers(*PITCHES)),
    )


def spoken(split: str, index: int) -> Record:
    """Returns the record of one example: what is said, by whom, and where `Spoken` finds its sound."""
    said = line(split, index)
    return {
        "text": said.text,
        "caption": f"a voice that says: {said.text}",
        "voice": said.voice,
        "split": split,
        "index": index,
    }


@dataclasses.dataclass(frozen=True)
class Spoken:
    """Reads the sound of a line as log-mel of its last segment, or of those before it.

    Attributes:
      line: (split, index) -> what is said.
      lengths: Lines of every split.
      history: Whether to give the earlier segments; sentences longer than a spectrogram have some.
    """

    line: Callable[[str, int], Utterance] = line
    lengths: tuple[tuple[str, int], ...] = tuple(LENGTHS.items())
    history: bool = False

    def __call__(self, record: Record, context: Context) -> Any:
        """Raises DataError where espeak-ng is missing; says how to get it."""
        kept = context.reading.data_dir or os.environ.get("UNIFIED_IO_DATA")
        sound, rate = self.sound(record["split"], int(record["index"]), str(context.folder) if kept else None)
        return Sound("samples", rate=rate, history=self.history)({"samples": sound}, context)

    def sound(self, split: str, index: int, folder: str | None = None) -> tuple[Float[np.ndarray, " n"], int]:
        """Returns the sound of a line in [-1, 1], and its sample rate in Hz.

        Args:
          split: The split.
          index: Number of the line.
          folder: Where sounds are kept; None keeps them in this process only.

        Raises:
          DataError: espeak-ng is missing or broken.
        """
        said, rate, _ = self.words(split, index, folder)
        return said, rate

    def words(
        self, split: str, index: int, folder: str | None = None
    ) -> tuple[Float[np.ndarray, " n"], int, Int[np.ndarray, " words"]]:
        """Returns the sound of a line, its sample rate in Hz, and the sample at which each of its words begins.

        Args and errors as of `sound`.
        """
        first = index // BATCH * BATCH
        last = min(first + BATCH, dict(self.lengths)[split])
        batch = _batch(tuple(self.line(split, one) for one in range(first, last)), folder)
        return batch[f"line{index - first}"], int(batch["rate"]), batch[f"begins{index - first}"]


@functools.lru_cache(maxsize=256)
def _batch(lines: tuple[Utterance, ...], folder: str | None) -> dict[str, np.ndarray]:
    depends_on = {
        "lines": [dataclasses.astuple(one) for one in lines],
        "espeak": espeak.version(),
        "code": code(espeak_worker.__file__, espeak.__file__),
    }

    def build() -> dict[str, np.ndarray]:
        sounds, rate, begins = espeak.speak(lines)
        named = {f"line{number}": sound for number, sound in enumerate(sounds)}
        named |= {f"begins{number}": begun for number, begun in enumerate(begins)}
        return {"rate": np.array(rate)} | named

    return cached(folder, "spoken", depends_on, build)
