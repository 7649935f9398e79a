"""Real handwritten digits: load, enlarge, distort, place on a canvas, punch a hole. Knows no tokens and no model."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from data_tasks.digits.resample import downsample, upsample
from data_tasks.digits.strokes import snap
from unified_io.errors import unknown

__all__ = ["ROWS", "Canvas", "Digits", "augment", "canvas", "downsample", "inpaint_hole", "load", "upsample"]

# Rows lie in the file writer by writer, so the splits are blocks: their writers are (nearly) different people.
ROWS = {"train": range(0, 1258), "validation": range(1258, 1528), "test": range(1528, 1797)}
INK = 0.3
SHIFT, DEGREES, SCALE, SHEAR = 0.06, 12.0, (0.88, 1.04), 0.12


@dataclasses.dataclass(frozen=True)
class Digits:
    """The digits of one split: pixels, labels and where they lie in the file."""

    images: Float[np.ndarray, "n 8 8"]
    labels: Int[np.ndarray, " n"]
    rows: Int[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True)
class Canvas:
    """Several digits on one square image: boxes (y1, x1, y2, x2) tight around the ink of each, and its pixels."""

    image: Float[np.ndarray, "s s"]
    boxes: Float[np.ndarray, "n 4"]
    masks: Bool[np.ndarray, "n s s"]


def load(split: Literal["train", "validation", "test"]) -> Digits:
    """Returns the scikit-learn digits of one split, 1,258, 270 or 269 of them, ink 1 on ground 0.

    Raises:
      ConfigError: There is no such split.

    Source: UCI Optical Recognition of Handwritten Digits (the test part), as scikit-learn ships it.
    """
    from sklearn.datasets import load_digits

    if split not in ROWS:
        raise unknown("split", split, ROWS)
    stored, rows = load_digits(), np.asarray(ROWS[split])
    return Digits((stored.images[rows] / 16).astype(np.float32), stored.target[rows].astype(np.int64), rows)


def augment(
    images: Float[np.ndarray, "n s s"],
    points: Sequence[Float[np.ndarray, "_ 3"]],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "n s s"], list[Float[np.ndarray, "_ 3"]]]:
    """Returns every image and its pen points, moved by the same random affine map.

    Rotation up to 12 degrees, scale 0.88 to 1.04, shear, and a shift that keeps the ink on the canvas where it fits.

    Args:
      images: Enlarged images, ink 1.
      points: For every image its pen points (y, x, pen), on the grid of `strokes`; so are those returned.
      rng: Source of all randomness.
    """
    n, size, _ = images.shape
    angle = np.deg2rad(rng.uniform(-DEGREES, DEGREES, n))
    scale, shear = rng.uniform(*SCALE, n), rng.uniform(-SHEAR, SHEAR, n)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.stack([cosine, cosine * shear - sine, sine, sine * shear + cosine], axis=-1).reshape(n, 2, 2)
    shift = rng.uniform(-SHIFT, SHIFT, (n, 2))
    # Where the corners of the ink come to lie tells how far the shift may go; what is too large is centred.
    low, high = _ink_box(images)
    corners = np.stack(
        [low, high, np.where([True, False], low, high), np.where([True, False], high, low)], axis=1
    )
    corners = (corners - 0.5) @ matrix.transpose(0, 2, 1) + 0.5
    least, most = -corners.min(1), 1 - corners.max(1)
    shift = np.where(least <= most, np.clip(shift, least, most), (least + most) / 2)

    moved_points = []
    for old, turn, step in zip(points, matrix, shift, strict=True):
        place = (old[:, :2] - 0.5) @ turn.T + 0.5 + step
        moved_points.append(snap(np.concatenate([place, old[:, 2:]], axis=1)))
    return _warp(images, np.linalg.inv(matrix), shift), moved_points


def _ink_box(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first and last corners (y, x) in [0, 1] of the ink of every image; all of an empty one."""
    ink = images > INK
    ink |= ~ink.any(axis=(1, 2), keepdims=True)
    sides = ink.any(axis=2), ink.any(axis=1)
    low = np.stack([side.argmax(1) for side in sides], axis=1) / images.shape[1]
    high = 1 - np.stack([side[:, ::-1].argmax(1) for side in sides], axis=1) / images.shape[1]
    return low, high


def _warp(images: np.ndarray, back: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Returns every image seen through an affine map about its middle, bilinear, zero outside."""
    n, size, _ = images.shape
    centres = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1).reshape(1, -1, 2)
    source = (grid - shift[:, None].astype(np.float32)) @ back.transpose(0, 2, 1).astype(np.float32)
    # One pixel of ground around the image catches everything outside.
    source = np.clip((source + 0.5) * size + 0.5, 0, size + 1 - 1e-3)
    whole = source.astype(np.int32)
    y, x = np.moveaxis(source - whole, -1, 0)
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1))).reshape(n, -1)
    width = size + 2
    corner = whole[..., 0] * width + whole[..., 1]
    at = [np.take_along_axis(padded, corner + step, axis=1) for step in (0, 1, width, width + 1)]
    moved = (1 - y) * ((1 - x) * at[0] + x * at[1]) + y * ((1 - x) * at[2] + x * at[3])
    return moved.reshape(n, size, size).astype(np.float32)


def canvas(digits: Float[np.ndarray, "2 8 8"], size: int, rng: np.random.Generator) -> Canvas:
    """Returns two digits of half the canvas each, at random places where their ink boxes do not overlap."""
    half = size // 2
    tiles = upsample(digits, half)
    low, high = (np.rint(side * half).astype(int) for side in _ink_box(tiles))
    room = size - (high - low)
    # Side by side always fits; most draws find a freer place.
    corner = np.array([[0, 0], [0, half]])
    for _ in range(20):
        drawn = rng.integers(0, room + 1)
        if (drawn[0] + (high - low)[0] <= drawn[1]).any() or (drawn[1] + (high - low)[1] <= drawn[0]).any():
            corner = drawn
            break
    layers = np.zeros((2, 2 * size, 2 * size), np.float32)
    for layer, tile, (y, x) in zip(layers, tiles, corner - low + half, strict=True):
        layer[y : y + half, x : x + half] = tile
    layers = layers[:, half : half + size, half : half + size]
    boxes = np.concatenate([corner, corner + high - low], axis=1) / size
    return Canvas(layers.max(0), boxes.astype(np.float32), layers > 0.5)


def inpaint_hole(
    image: Float[np.ndarray, "s s"], rng: np.random.Generator, patch: int = 8
) -> Bool[np.ndarray, "s s"]:
    """Returns which pixels to keep: all but a rectangle of whole patches that hides a fifth to three fifths of the ink.

    Args:
      image: Ink 1 on ground 0.
      rng: Source of all randomness.
      patch: Side of a patch in pixels; divides the image.
    """
    count = image.shape[0] // patch
    ink = image.reshape(count, patch, count, patch).sum(axis=(1, 3))
    holes = [
        (y, x, y + h, x + w)
        for h in range(1, count)
        for w in range(1, count)
        for y in range(count - h + 1)
        for x in range(count - w + 1)
        if 0.2 * ink.sum() <= ink[y : y + h, x : x + w].sum() <= 0.6 * ink.sum()
    ]
    y1, x1, y2, x2 = holes[rng.integers(len(holes))] if holes else (0, 0, count // 2, count)
    keep = np.ones(image.shape, bool)
    keep[y1 * patch : y2 * patch, x1 * patch : x2 * patch] = False
    return keep
