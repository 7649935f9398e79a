"""What tokenizers and vocoders learn from and are judged by: photographs, and spoken digits. Arrays in memory."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float, Int

from data_tasks.digits import espeak, speech, voices
from data_tasks.toy import photos
from unified_io.mel import MelConfig
from unified_io.preprocess import image_ops


@dataclasses.dataclass(frozen=True)
class Photos:
    """Square pieces of the photographs that scikit-image and scikit-learn bring; whole photographs are held out.

    Attributes:
      side: Pixels along a piece.
      pieces: How many there are to learn from.
      held_out: How many to be judged by, of photographs that no training piece is from.
    """

    side: int = 64
    pieces: int = 6000
    held_out: int = 120

    def training(self) -> Float[np.ndarray, "n s s 3"]:
        """Returns the pieces to learn from, pixels in [0, 1]."""
        return self._pieces("train", self.pieces)

    def unseen(self) -> Float[np.ndarray, "n s s 3"]:
        """Returns the pieces to be judged by."""
        return self._pieces("test", self.held_out)

    def _pieces(self, split: str, count: int) -> np.ndarray:
        size = (self.side, self.side)
        pieces = (photos.piece(split, index)["image"] for index in range(count))
        return np.stack([np.clip(image_ops.resize(piece, size), 0.0, 1.0) for piece in pieces])


@dataclasses.dataclass(frozen=True)
class Spoken:
    """Words as they sound.

    Attributes:
      sounds: In [-1, 1].
      labels: The digit of each.
    """

    sounds: Float[np.ndarray, "n samples"]
    labels: Int[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True)
class Voices:
    """Spoken digits by espeak-ng: synthetic speech; voices and accents of one split are in no other.

    Attributes:
      mel: How their spectrograms are taken; it says how long a sound is.
    """

    mel: MelConfig = MelConfig()

    def training(self) -> Spoken:
        """Returns what there is to learn from."""
        return _spoken("train", self.mel)

    def unseen(self) -> Spoken:
        """Returns what to be judged by."""
        return _spoken("test", self.mel)


@functools.lru_cache(maxsize=4)
def _spoken(split: str, mel: MelConfig) -> Spoken:
    utterances, labels = voices.script(voices.CASTS[split])
    words, rate, _ = espeak.speak(utterances)
    return Spoken(np.stack([speech.clip(word, rate, mel) for word in words]), np.asarray(labels))
