"""Records of real handwritten digits, one at a time or several on a sheet, with what may be asked of them.

Real pixels of real hands, 8 x 8 of them: they show that pictures pass through, and nothing of natural pictures.
"""

import functools

import numpy as np
from jaxtyping import Float

from data_tasks.digits import images
from data_tasks.digits.words import WORDS
from data_tasks.sources.stored import Record

SIDE, SHEET = 32, 64  # pixels of a digit alone, and of a sheet
LENGTHS = {name: len(rows) for name, rows in images.ROWS.items()}
SHEETS = {"train": 10_000, "validation": 500, "test": 500}
"""Sheets differ in their digits; the hands of a split are in no other."""

_TILE, _CELL = 24, 32  # pixels of a digit on a sheet, and of the quarter of a sheet that it lies in
_QUESTIONS = (
    ("how many digits are there?", len),
    ("what is the sum of the digits?", sum),
    ("what is the largest digit?", max),
)


def digit(name: str, index: int) -> Record:
    """Returns one digit: its picture, its word, and captions."""
    digits = _digits(name)
    label = int(digits.labels[index])
    return {"image": _tinted(_large(name, SIDE)[index]), "name": WORDS[label], "captions": _captions(label)}


def sheet(name: str, index: int) -> Record:
    """Returns two to four digits on a sheet: boxes, words, and a question about them with its answer in numbers."""
    # A digit's place among the rows of the whole set seeds a sheet apart from those of other splits.
    rng = np.random.default_rng((images.ROWS[name].start, index, 1))
    count = int(rng.integers(2, 5))
    chosen = rng.integers(len(_digits(name).labels), size=count)
    labels = _digits(name).labels[chosen].tolist()
    ink, boxes = np.zeros((SHEET, SHEET), np.float32), []
    for which, cell in zip(chosen, rng.permutation(4), strict=False):
        y, x = np.array(divmod(int(cell), 2)) * _CELL + rng.integers(_CELL - _TILE + 1, size=2)
        tile = _large(name, _TILE)[which]
        ink[y : y + _TILE, x : x + _TILE] = tile
        rows, columns = (np.flatnonzero((tile > images.INK).any(axis=axis)) for axis in (1, 0))
        boxes.append((y + rows[0], x + columns[0], y + rows[-1] + 1, x + columns[-1] + 1))
    question, answer = _QUESTIONS[rng.integers(len(_QUESTIONS))]
    return {
        "image": _tinted(ink),
        "boxes": np.array(boxes, np.float32) / SHEET,
        "names": [WORDS[label] for label in labels],
        "question": question,
        "answers": [str(answer(labels))],
    }


def _captions(label: int) -> list[str]:
    word = WORDS[label]
    return [f"a handwritten {word}", f"the digit {word} written by hand", f"someone wrote the number {word}"]


@functools.lru_cache(maxsize=4)
def _digits(name: str) -> images.Digits:
    return images.load(name)


@functools.lru_cache(maxsize=8)
def _large(name: str, side: int) -> Float[np.ndarray, "n s s"]:
    return images.upsample(_digits(name).images, side)


def _tinted(ink: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Dark ink on light paper."""
    return np.repeat(1.0 - 0.9 * np.clip(ink, 0.0, 1.0)[..., None], 3, axis=-1).astype(np.float32)
