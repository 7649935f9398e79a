"""The digits of one split in every modality: what there is of them, loaded once. NumPy only: knows no raw example."""

import dataclasses
import functools
import threading
from collections.abc import Collection
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from data_tasks.digits import images, speech, strokes
from unified_io.mel import MelConfig

Split = Literal["train", "validation", "test"]
Which = Int[np.ndarray, " n"]

STROKE_SIZE = 32
_LOADING = threading.RLock()


@dataclasses.dataclass(frozen=True)
class Store:
    """The digits of one split.

    Attributes:
      split: "train", "validation" or "test".
      image_size: Side of an image to look at, pixels.
      target_size: Side of an image to draw, pixels.
      mel: How spectrograms are taken.
      data_dir: Where what was expensive to make is kept; None keeps nothing.
      speech_dir: Folder of recordings; None has espeak-ng speak.
    """

    split: Split
    image_size: int
    target_size: int
    mel: MelConfig
    data_dir: str | None = None
    speech_dir: str | None = None

    @functools.cached_property
    def digits(self) -> images.Digits:
        """Small images and their labels."""
        return images.load(self.split)

    @functools.cached_property
    def images_of(self) -> list[Int[np.ndarray, " m"]]:
        """Which images show each digit."""
        return [np.flatnonzero(self.digits.labels == digit) for digit in range(10)]

    @functools.cached_property
    def large(self) -> Float[np.ndarray, "n s s"]:
        """Images enlarged to `image_size`, ink 1."""
        return images.upsample(self.digits.images, self.image_size)

    @functools.cached_property
    def points(self) -> list[Float[np.ndarray, "_ 3"]]:
        """The pen points of every image."""
        return strokes.extract_all(images.upsample(self.digits.images, STROKE_SIZE), self.data_dir)

    @functools.cached_property
    def clips(self) -> speech.Speech:
        """Spoken digits."""
        return speech.load(self.split, self.mel, self.speech_dir, self.data_dir)

    @functools.cached_property
    def clips_of(self) -> list[Int[np.ndarray, " m"]]:
        """Which clips say each digit."""
        return [np.flatnonzero(self.clips.labels == digit) for digit in range(10)]

    def __len__(self) -> int:
        return len(self.digits.labels)

    def load(self, fields: Collection[str]) -> None:
        """Loads what these fields are made of, once for all threads."""
        with _LOADING:
            _ = self.large
            if "points" in fields:
                _ = self.points
            if not {"audio", "sounds"}.isdisjoint(fields):
                _ = self.clips_of
