"""Raw examples drawn from the digits of one split. NumPy only: knows no task.

Five views of the same stock, each a dictionary of arrays with a leading axis of examples:

    singles    one digit: image, image_target, keep, audio, points, name, caption, remark, passage, label
    scenes     two different digits on one canvas, from left to right: image, boxes, masks, names, labels
    contrasts  one digit seen and a different one heard: image, audio, names, labels
    counts     two to five digits that count on: images, sounds, captions, remarks, heard, told, labels
    views      one image drawn two to five times: images, labels

Of the last two every field is padded to the longest sequence, and `length` says how long each one is.
"""

import functools
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from data_tasks.digits import images, sentences, words
from data_tasks.digits.store import Store, Which

Raw = dict[str, np.ndarray]

LENGTHS = (2, 5)
GAPS = 0.2
"""How often a digit of a count is not heard, and how often nothing is said of it."""


class Stock(Store):
    """The digits of one split, and views of them."""

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
            "remark": lambda: _strings(sentences.remark(digit, self.split, rng) for digit in labels[written]),
            "passage": lambda: _strings(
                sentences.passage(digit, self.split, rng) for digit in labels[written]
            ),
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

    def counts(
        self, which: Which, fields: Collection[str], rng: np.random.Generator, paired: bool = True
    ) -> Raw:
        """Digits that count on to `which`, up or down by one or two, which only the earlier ones tell.

        `heard` and `told` leave some of them out; `paired` False draws the digits of every modality on their own.
        """
        lengths, steps = _lengths(which, rng), rng.choice(sentences.STEPS, len(which))
        ends = zip(self.digits.labels[which], steps, lengths, strict=True)
        digits = np.concatenate([sentences.run(end, -step, count)[::-1] for end, step, count in ends])
        other = lambda: digits if paired else rng.integers(10, size=len(digits))  # noqa: E731
        made: dict[str, Any] = {
            "label": lambda: digits.astype(np.int32),
            "captions": lambda: _strings(words.phrase(digit, self.split, rng) for digit in other()),
            "remarks": lambda: _strings(sentences.remark(digit, self.split, rng) for digit in other()),
            "images": lambda: _colours(self._seen(which, lengths, other(), rng)),
            "sounds": lambda: self._clips(np.repeat(which, lengths), other(), rng),
            "heard": lambda: rng.random(len(digits)) >= GAPS,
            "told": lambda: rng.random(len(digits)) >= GAPS,
        }
        raws = {field: split(made[field](), lengths) for field in fields}
        return raws | {"length": lengths.astype(np.int32)} | self._names(which)

    def views(
        self, which: Which, fields: Collection[str], rng: np.random.Generator, paired: bool = True
    ) -> Raw:
        """One image, moved anew each time, for evaluation all but the first; `paired` False draws all of them."""
        lengths = _lengths(which, rng)
        drawn = np.repeat(which, lengths) if paired else rng.integers(len(self), size=lengths.sum())
        moved = images.augment(self.large[drawn], _no_points(len(drawn)), rng)[0]
        if self.split != "train":
            firsts = np.cumsum(lengths) - lengths
            moved[firsts] = self.large[drawn[firsts]]
        made = {
            "label": lambda: self.digits.labels[drawn].astype(np.int32),
            "images": lambda: _colours(moved),
        }
        raws = {field: split(made[field](), lengths) for field in fields}
        return raws | {"length": lengths.astype(np.int32)} | self._names(which)

    def _seen(
        self, which: Which, lengths: np.ndarray, digits: np.ndarray, rng: np.random.Generator
    ) -> Float[np.ndarray, "m s s"]:
        """An image of every digit of the counts; the last of each is `which`."""
        chosen = np.array([rng.choice(self.images_of[digit]) for digit in digits])
        chosen[np.cumsum(lengths) - 1] = which
        return self._move(chosen, chosen, (), rng)[0]

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
        points = [self.points[pen] for pen in pens] if "points" in fields else _no_points(len(pens))
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


def _lengths(which: Which, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    return rng.integers(LENGTHS[0], LENGTHS[1] + 1, len(which))


def _no_points(count: int) -> list[Float[np.ndarray, "0 3"]]:
    return [np.zeros((0, 3), np.float32)] * count


def _strings(texts: Any) -> np.ndarray:
    return np.array([text.encode() for text in texts], object)


def _colours(grey: Float[np.ndarray, "*n s s"]) -> Float[np.ndarray, "*n s s 3"]:
    return np.repeat(grey[..., None], 3, axis=-1).astype(np.float32)


def split(flat: np.ndarray, lengths: Int[np.ndarray, " n"]) -> np.ndarray:
    """Lays sequences that follow each other out in rows [n, longest, ...], padded behind their ends."""
    real = np.arange(lengths.max(initial=0)) < lengths[:, None]
    rows = np.full((*real.shape, *flat.shape[1:]), b"" if flat.dtype == object else 0, flat.dtype)
    rows[real] = flat
    return rows


def pad(points: Sequence[np.ndarray]) -> Float[np.ndarray, "n longest 3"]:
    """Pads pen points with rows of -1, which `unpad` takes off again."""
    padded = np.full((len(points), max((len(p) for p in points), default=0), 3), -1, np.float32)
    for row, one in zip(padded, points, strict=True):
        row[: len(one)] = one
    return padded


def unpad(points: Float[np.ndarray, "longest 3"]) -> Float[np.ndarray, "n 3"]:
    """Takes the padding of `pad` off one example."""
    return points[points[:, 2] >= 0]
