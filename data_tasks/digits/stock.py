"""The digits of one split in every modality, and raw examples drawn from them. NumPy only: knows no task.

Three views of the same stock, each a dictionary of arrays with a leading axis of examples:

    singles    one digit: image, image_target, keep, audio, points, caption, name, label
    scenes     two different digits on one canvas, from left to right: image, boxes, masks, names, labels
    contrasts  one digit seen and a different one heard: image, audio, names, labels
"""

import dataclasses
import functools
import threading
from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from data_tasks.digits import images, speech, strokes, words
from unified_io.mel import MelConfig

Split = Literal["train", "validation", "test"]
Raw = dict[str, np.ndarray]
Which = Int[np.ndarray, " n"]

STROKE_SIZE = 32
_LOADING = threading.RLock()


@dataclasses.dataclass(frozen=True)
class Stock:
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
            if "audio" in fields:
                _ = self.clips_of

    def singles(
        self, which: Which, fields: Collection[str], rng: np.random.Generator, paired: bool = True
    ) -> Raw:
        """One digit in several modalities; `paired` False draws the digit of every modality on its own."""
        other = lambda: which if paired else rng.integers(len(self), size=len(which))  # noqa: E731
        written, labels = other(), self.digits.labels
        image, points = self._move(which, other(), fields, rng)
        made: dict[str, Any] = {
            "label": lambda: labels[written].astype(np.int32)[:, None],
            "name": lambda: _strings(words.answer(digit) for digit in labels[written]),
            "caption": lambda: _strings(words.phrase(digit, self.split, rng) for digit in labels[written]),
            "image": lambda: _colours(image),
            "image_target": lambda: _colours(images.downsample(image, self.target_size)),
            "keep": lambda: np.stack([images.inpaint_hole(one, rng, self.image_size // 4) for one in image]),
            "audio": lambda: self._clips(which, labels[other()], rng),
            "points": lambda: pad(points),
        }
        return {field: made[field]() for field in fields} | self._names(which)

    def scenes(
        self, which: Which, fields: Collection[str], rng: np.random.Generator, paired: bool = True
    ) -> Raw:
        """Two different digits on a canvas, `which` and a drawn one; `paired` False draws their labels too."""
        raws = [self._scene(index, rng, paired) for index in which]
        return {field: np.stack([raw[field] for raw in raws]) for field in fields} | self._names(which)

    def contrasts(
        self, which: Which, fields: Collection[str], rng: np.random.Generator, paired: bool = True
    ) -> Raw:
        """A digit seen, `which`, and a different one heard; `paired` False draws their labels apart from both."""
        seen = self.digits.labels[which]
        heard = (seen + rng.integers(1, 10, len(which))) % 10
        truth = np.stack([seen, heard], axis=1)
        if not paired:
            truth = np.stack([rng.choice(10, 2, replace=False) for _ in which])
        image, _ = self._move(which, which, fields, rng)
        made: dict[str, Any] = {
            "label": lambda: truth.astype(np.int32),
            "names": lambda: np.stack([_strings(words.answer(digit) for digit in pair) for pair in truth]),
            "image": lambda: _colours(image),
            "audio": lambda: self._clips(which, heard, rng),
        }
        return {field: made[field]() for field in fields} | self._names(which)

    def _scene(self, index: int, rng: np.random.Generator, paired: bool) -> Raw:
        labels = self.digits.labels
        partner = int(rng.choice(np.flatnonzero(labels != labels[index])))
        drawn = images.canvas(self.digits.images[[index, partner]], self.image_size, rng)
        order = np.lexsort((drawn.boxes[:, 0], drawn.boxes[:, 1]))
        truth = labels[[index, partner]][order] if paired else rng.choice(10, 2, replace=False)
        masks = images.downsample(drawn.masks[order].astype(np.float32), self.target_size)
        return {
            "image": _colours(drawn.image),
            "boxes": drawn.boxes[order],
            "masks": _colours(masks),
            "names": _strings(words.answer(digit) for digit in truth),
            "label": truth.astype(np.int32),
        }

    def _move(
        self, pictures: Which, pens: Which, fields: Collection[str], rng: np.random.Generator
    ) -> tuple[np.ndarray, Sequence[np.ndarray]]:
        """Images and pen points; in training both moved by the same random map."""
        points = [self.points[pen] if "points" in fields else np.zeros((0, 3), np.float32) for pen in pens]
        if self.split != "train":
            return self.large[pictures], points
        return images.augment(self.large[pictures], points, rng)

    def _clips(
        self, which: Which, labels: np.ndarray, rng: np.random.Generator
    ) -> Float[np.ndarray, "n frames mels"]:
        """A clip that says each label: any of them in training, else always the same one for the same image."""
        chosen = []
        for index, label in zip(which, labels, strict=True):
            clips = self.clips_of[label]
            chosen.append(clips[rng.integers(len(clips)) if self.split == "train" else index % len(clips)])
        return self.clips.mels[chosen]

    def _names(self, which: Which) -> Raw:
        return {"id": _strings(f"{self.split} row {row}" for row in self.digits.rows[which])}


@functools.lru_cache(maxsize=12)
def stock(*config: Any) -> Stock:
    """Returns the stock of a configuration (the arguments of Stock), loaded only once in a process."""
    return Stock(*config)


def _strings(texts: Any) -> np.ndarray:
    return np.array([text.encode() for text in texts], object)


def _colours(grey: Float[np.ndarray, "*n s s"]) -> Float[np.ndarray, "*n s s 3"]:
    return np.repeat(grey[..., None], 3, axis=-1).astype(np.float32)


def pad(points: Sequence[np.ndarray]) -> Float[np.ndarray, "n longest 3"]:
    """Pads pen points with rows of -1, which `unpad` takes off again."""
    padded = np.full((len(points), max((len(p) for p in points), default=0), 3), -1, np.float32)
    for row, one in zip(padded, points, strict=True):
        row[: len(one)] = one
    return padded


def unpad(points: Float[np.ndarray, "longest 3"]) -> Float[np.ndarray, "n 3"]:
    """Takes the padding of `pad` off one example."""
    return points[points[:, 2] >= 0]
