"""Sounds of the toy world with what is true of every patch: what an audio encoder learns from before the model does.

Of training events and sentences only. What holds at a time holds of all patches of that time.
"""

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.digits import espeak
from data_tasks.toy import heard, sentences
from data_tasks.toy.scene import COLOURS, SHAPES, SIZES
from data_tasks.toy.sounds import LENGTHS as LASTS
from data_tasks.toy.sounds import waveform
from data_tasks.toy.speech import LENGTHS, Spoken, line
from data_tasks.toy.splits import generator
from data_tasks.toy.voicing import VERBS, words_of
from unified_io.encoders.labels import Labelled
from unified_io.errors import DataError
from unified_io.mel import log_mel
from unified_io.modalities.audio import AudioInput
from unified_io.preprocess import sound as sounds
from unified_io.preprocess.patches import patch_mask, patchify

_SOUNDING = tuple(f"{word} is heard" for word in (*SIZES, *COLOURS, *SHAPES, *VERBS.values()))
WORDS = (*_SOUNDING, *sentences.WORDS)
_PLACE = {word: place for place, word in enumerate(WORDS)}

_CELLS = 4  # cells along a patch whose loudness is told


@dataclasses.dataclass(frozen=True)
class HeardPatches:
    """Makes labelled sounds.

    The numbers of a patch: when in the clip, in [0, 1], what is heard there began; its loudness, in 4 x 4 cells.

    Attributes:
      speech: How many are of speech, where espeak-ng is here; the others are of things that sound.
    """

    speech: float = 0.5

    def __call__(self, index: int, media: AudioInput) -> Labelled:
        """Returns one training sound as the encoder hears it, and its labels.

        Args:
          index: Number of the sound; the same number gives the same sound.
          media: How a model is given sounds.
        """
        rng = generator("train", index, "heard patches")
        said = speaks() and rng.random() < self.speech
        return _labelled(*(_said(media, rng) if said else _played(index, media)), media)


def _labelled(
    made: Float[np.ndarray, " n"],
    words: Bool[np.ndarray, "T W"],
    began: Float[np.ndarray, " T"],
    media: AudioInput,
) -> Labelled:
    array, real = media.pixels(log_mel(made, media.mel))
    patches, columns = patchify(array, media.patch), media.grid[1]
    cell = media.patch // _CELLS
    loud = patches.reshape(-1, _CELLS, cell, _CELLS, cell).mean(axis=(2, 4)).reshape(len(patches), -1)
    return Labelled(
        patches,
        patch_mask(real, media.grid),
        np.repeat(words, columns, axis=0),
        np.concatenate([np.repeat(began, columns)[:, None], loud], axis=1),
    )


@functools.cache
def speaks() -> bool:
    """Whether espeak-ng is here; without it nothing is said in the toy world."""
    try:
        return bool(espeak.version())
    except DataError:
        return False


def _played(
    index: int, media: AudioInput
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, "T W"], Float[np.ndarray, " T"]]:
    """Things that sound: a waveform, and for every column of patches what sounds and since when."""
    events = heard.events_of(heard.followed("train", index)["events"])
    words, began = _blank(media)
    times = np.arange(len(words)) / len(words)
    for event in events:
        lasts = event.length or LASTS[event.kind]
        mine = (times + 1 / len(words) > event.at) & (times < event.at + lasts)
        for word in (*words_of(event.voice), VERBS[event.kind]):
            words[mine, _PLACE[f"{word} is heard"]] = True
        began[mine] = event.at
    return waveform(events, media.mel), words, began


def _said(
    media: AudioInput, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " n"], Bool[np.ndarray, "T W"], Float[np.ndarray, " T"]]:
    """A piece of a sentence: a waveform, and for every column of patches the word that is said and since when."""
    number = int(rng.integers(LENGTHS["train"]))
    whole, rate, begins = Spoken().words("train", number)
    whole = sounds.read((whole, rate), media.mel.sample_rate)
    begins, length = begins / rate * media.mel.sample_rate, media.mel.samples
    first = int(rng.integers(max(1, len(whole) - length // 2)))
    words, began = _blank(media)
    middles = (np.arange(len(words)) + 0.5) / len(words) * length + first
    of = np.searchsorted(begins, middles, side="right") - 1
    text = line("train", number).text.split()
    for column in np.flatnonzero((of >= 0) & (middles < len(whole))):
        words[column, _PLACE[text[of[column]]]] = True
        began[column] = (begins[of[column]] - first) / length
    return np.pad(whole[first : first + length], (0, max(0, first + length - len(whole)))), words, began


def _blank(media: AudioInput) -> tuple[Bool[np.ndarray, "T W"], Float[np.ndarray, " T"]]:
    return np.zeros((media.grid[0], len(WORDS)), bool), np.full(media.grid[0], np.nan, np.float32)
