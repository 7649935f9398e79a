"""Boxes, points, keypoints, moves of a camera, pen strokes and other groups of numbers, written as location tokens
and read back.

Coordinates are numbers in [0, 1] of the padded square, y before x. Knows no pixels: scaling to the original
image is the inverse of its resizing (`preprocess/image_ops.py`). Readers never fail on what a model wrote:
they leave broken groups out and say so in `skipped`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from unified_io.errors import DataError
from unified_io.vocab import EOS, LOCATION_BINS, Vocabulary, location_word

COCO_PARTS = (
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
)
MISSING = "MISSING"
_CAMERA = np.array(
    [np.pi, 1.0, 1.0, 0.7]
)  # most of polar angle, sine and cosine of the azimuth, distance in metres

_BIN_OF = {location_word(bin): bin for bin in range(LOCATION_BINS)}
_BRACKETED = re.compile(r"(<[^<>\s]*>)")


class Boxes(NamedTuple):
    """Boxes (y1, x1, y2, x2) in [0, 1], a label for each ("" without one), and what could not be read."""

    boxes: Float[np.ndarray, "N 4"]
    labels: list[str]
    skipped: list[str]


class Points(NamedTuple):
    """Points (y, x) in [0, 1], a label for each ("" without one), and what could not be read."""

    points: Float[np.ndarray, "N 2"]
    labels: list[str]
    skipped: list[str]


class Values(NamedTuple):
    """Groups of numbers in [0, 1], a label for each ("" without one), and what could not be read."""

    values: Float[np.ndarray, "N K"]
    labels: list[str]
    skipped: list[str]


class Keypoints(NamedTuple):
    """A point (y, x) in [0, 1] a part, whether it was there (else it is 0, 0), what could not be read."""

    points: Float[np.ndarray, "K 2"]
    visible: Bool[np.ndarray, " K"]
    skipped: list[str]


class Strokes(NamedTuple):
    """Pen points (y, x, pen) in [0, 1], pen 1 = down and 0 = up, and what could not be read."""

    strokes: Float[np.ndarray, "N 3"]
    skipped: list[str]


def values_to_bins(values: Float[np.ndarray, "*shape"]) -> Int[np.ndarray, "*shape"]:
    """Returns the location bin of every value: trunc(999 v), in float32.

    Raises:
      DataError: A value is not in [0, 1], or not a number; the message names its index.

    Source: the released implementation of Unified-IO 2, which truncates and does not check.
    """
    values = np.asarray(values, np.float32)
    wrong = np.argwhere(~((values >= 0) & (values <= 1)))
    if len(wrong):
        index = tuple(wrong[0].tolist())
        raise DataError(
            f"value {values[index]} at index {list(index)} is not in [0, 1]; "
            "divide coordinates by the side of the padded image and clip them"
        )
    return (values * np.float32(LOCATION_BINS - 1)).astype(np.int32)


def bins_to_values(
    bins: Int[np.ndarray, "*shape"], divide_by: int = LOCATION_BINS - 1
) -> Float[np.ndarray, "*shape"]:
    """Returns bin / 999, the lower edge of the bin: at most 1/999 below the value that was written.

    Args:
      bins: From 0 to 999.
      divide_by: 1000 gives what the released JAX metrics read, a thousandth too little.
    """
    return (np.asarray(bins) / divide_by).astype(np.float32)


def to_middle(values: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Moves values that were read, lower edges of bins, to the middle of their bins: half the error.

    Small boxes keep more of their overlap so; the readers here stay with the edges, as the released ones do.
    """
    return np.minimum(np.asarray(values, np.float32) + np.float32(0.5 / (LOCATION_BINS - 1)), 1.0)


def values_to_text(values: Float[np.ndarray, "N K"], size: int, labels: Sequence[str] | None = None) -> str:
    """Writes groups of `size` numbers in [0, 1], each followed by its label.

    Raises:
      DataError: A number is outside [0, 1], or the number of labels differs from that of groups.
    """
    return _write("values", values, size, labels)


def text_to_values(text: str, size: int) -> Values:
    """Reads groups of `size` numbers, labelled or not; inverse of `values_to_text` up to the width of a bin."""
    return Values(*_read(text, size))


def boxes_to_text(boxes: Float[np.ndarray, "N 4"], labels: Sequence[str] | None = None) -> str:
    """Writes boxes (y1, x1, y2, x2), each followed by its label.

    boxes_to_text([[0, 0, 0.5, 1]], ["cat"])
        = "<extra_id_200> <extra_id_200> <extra_id_699> <extra_id_1199> cat"

    Raises:
      DataError: A coordinate is outside [0, 1], or the number of labels differs from that of boxes.
    """
    return _write("boxes", boxes, 4, labels)


def text_to_boxes(text: str) -> Boxes:
    """Reads boxes, labelled or not; inverse of `boxes_to_text` up to the width of a bin."""
    return Boxes(*_read(text, 4))


def points_to_text(points: Float[np.ndarray, "N 2"], labels: Sequence[str] | None = None) -> str:
    """Writes points (y, x), each followed by its label.

    Raises:
      DataError: A coordinate is outside [0, 1], or the number of labels differs from that of points.
    """
    return _write("points", points, 2, labels)


def text_to_points(text: str) -> Points:
    """Reads points, labelled or not; inverse of `points_to_text` up to the width of a bin."""
    return Points(*_read(text, 2))


def keypoints_to_text(
    points: Float[np.ndarray, "K 2"], visible: Sequence[bool] | np.ndarray, parts: Sequence[str] = COCO_PARTS
) -> str:
    """Writes a point (y, x) and the name of its part, or MISSING and the name where it is not visible.

    keypoints_to_text([[0, 1], [0, 0]], [True, False], ["nose", "tail"])
        = "<extra_id_200> <extra_id_1199> nose MISSING tail"

    Raises:
      DataError: A visible coordinate is outside [0, 1], or the three lengths differ.
    """
    if not len(points) == len(visible) == len(parts):
        raise DataError(
            f"{len(points)} points, {len(visible)} visibilities and {len(parts)} parts must be as many"
        )
    return " ".join(
        points_to_text(np.asarray(point)[None], [part]) if seen else f"{MISSING} {part}"
        for point, seen, part in zip(points, visible, parts, strict=True)
    )


def text_to_keypoints(text: str, parts: Sequence[str] = COCO_PARTS) -> Keypoints:
    """Reads one point a part, the first that is mentioned; inverse of `keypoints_to_text` up to a bin.

    Missing points are for `fill_missing`, once the others are in pixels of the original image.
    """
    # "MISSING nose" stands behind the name of the part before it: cut it out up to the next location token.
    found, names, skipped = _read(re.sub(rf"{MISSING}[^<]*", "", text), 2)
    where = {}
    for point, name in zip(found, names, strict=True):
        if name in where or name not in parts:
            skipped.append(f"a second {name!r}" if name in where else f"unknown part {name!r}")
        else:
            where[name] = point
    visible = np.array([part in where for part in parts])
    points = np.array([where.get(part, (0, 0)) for part in parts], np.float32)
    return Keypoints(points, visible, skipped)


def fill_missing(
    points: Float[np.ndarray, "K 2"], visible: Bool[np.ndarray, " K"]
) -> Float[np.ndarray, "K 2"]:
    """Puts missing points at the mean of the visible ones; without any, all stay as they are.

    Source: the released evaluation, which does so after scaling and clipping to the original image.
    """
    return np.where(visible[:, None], points, points[visible].mean(axis=0)) if visible.any() else points


def camera_change(
    reference: Float[np.ndarray, "3"], camera: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """Returns how to come from one camera to another, both (theta, phi, r); the azimuth in [-pi, pi]."""
    polar, azimuth, distance = np.asarray(camera, np.float64) - np.asarray(reference, np.float64)
    return np.array([polar, np.arctan2(np.sin(azimuth), np.cos(azimuth)), distance])


def camera_to_text(change: Float[np.ndarray, "3"]) -> str:
    """Writes a change of the camera as four location tokens: polar angle, sine and cosine of the azimuth, distance.

    Raises:
      DataError: It is out of range.

    Source: Unified-IO 2 writes Zero123's vector with the ranges pi, 1, 1 and 0.7 m.
    """
    polar, azimuth, distance = np.asarray(change, np.float64)
    numbers = np.array([polar, np.sin(azimuth), np.cos(azimuth), distance]) / _CAMERA
    if not (np.abs(numbers) <= 1 + 1e-6).all():
        raise DataError(
            f"the camera changes by {polar:.3f} of polar angle and {distance:.3f} m of distance; want at most pi and "
            f"{_CAMERA[3]} m: scale the scene, or leave the pair out"
        )
    return values_to_text(np.clip((numbers[None] + 1) / 2, 0, 1), len(_CAMERA))


def text_to_camera(text: str) -> Float[np.ndarray, "3"] | None:
    """Reads the first change of a camera; inverse of `camera_to_text` up to a bin. None where nothing is one."""
    found = to_middle(text_to_values(text, len(_CAMERA)).values)
    if not len(found):
        return None
    polar, sine, cosine, distance = (2 * found[0].astype(np.float64) - 1) * _CAMERA
    return np.array([polar, np.arctan2(sine, cosine), distance])


def strokes_to_text(strokes: Float[np.ndarray, "N 3"]) -> str:
    """Writes pen points (y, x, pen), three location tokens a point; pen counts as down (1) from 0.5.

    Raises:
      DataError: A value is outside [0, 1].
    """
    return " ".join(map(location_word, _stroke_bins(strokes).reshape(-1).tolist()))


def text_to_strokes(text: str) -> Strokes:
    """Reads pen points; inverse of `strokes_to_text` up to the width of a bin."""
    strokes, labels, skipped = _read(text, 3)
    strokes[:, 2] = strokes[:, 2] >= 0.5
    return Strokes(strokes, skipped + [f"words {label!r}" for label in labels if label])


def strokes_to_ids(strokes: Float[np.ndarray, "N 3"], vocabulary: Vocabulary) -> Int[np.ndarray, "3N"]:
    """Returns the token ids of pen points (y, x, pen), without EOS; needs no tokenizer.

    Raises:
      DataError: A value is outside [0, 1].
    """
    return vocabulary.location_id(_stroke_bins(strokes)).reshape(-1)


def ids_to_strokes(ids: Int[np.ndarray, " T"], vocabulary: Vocabulary) -> Float[np.ndarray, "N 3"]:
    """Returns the pen points in ids up to EOS; inverse of `strokes_to_ids`.

    `parse_strokes` does the same and also says what it skipped.
    """
    return parse_strokes(ids, vocabulary).strokes


def parse_strokes(ids: Int[np.ndarray, " T"], vocabulary: Vocabulary) -> Strokes:
    """Reads pen points from ids up to EOS; three neighbouring location tokens are a point."""
    words = []
    for id in np.asarray(ids).tolist():
        if id == EOS:
            break
        words.append(
            location_word(vocabulary.location_bin(id)) if vocabulary.is_location(id) else f"token {id}"
        )
    return text_to_strokes(" ".join(words))


def _stroke_bins(strokes: Float[np.ndarray, "N 3"]) -> Int[np.ndarray, "N 3"]:
    strokes = _checked("strokes", strokes, 3)
    bins = values_to_bins(strokes)
    bins[:, 2] = np.where(strokes[:, 2] >= 0.5, LOCATION_BINS - 1, 0)
    return bins


def _checked(name: str, values: np.ndarray, size: int) -> np.ndarray:
    """Returns float32 [N, size], also for an empty list; raises on another shape."""
    values = np.asarray(values, np.float32)
    if values.size and (values.ndim != 2 or values.shape[1] != size):
        raise DataError(f"{name} have shape {list(values.shape)}, wanted [N, {size}]")
    return values.reshape(-1, size)


def _write(name: str, values: np.ndarray, size: int, labels: Sequence[str] | None) -> str:
    values = _checked(name, values, size)
    labels = [""] * len(values) if labels is None else labels
    if len(labels) != len(values):
        raise DataError(f"{len(values)} {name} but {len(labels)} labels")
    words = []
    for bins, label in zip(values_to_bins(values).tolist(), labels, strict=True):
        if not _BIN_OF.keys().isdisjoint(_BRACKETED.findall(label)):
            raise DataError(f"label {label!r} contains a location token; it could not be read back")
        words.extend(map(location_word, bins))
        if label.strip():
            words.append(label.strip())
    return " ".join(words)


def _read(text: str, size: int) -> tuple[np.ndarray, list[str], list[str]]:
    """Returns values [N, size], N labels, and what was skipped.

    Of a run of neighbouring location tokens every whole group counts, from the front. Words behind the run
    label the last group; behind a run with tokens left over nobody knows what they label, and both are
    skipped.
    """
    groups, labels, skipped = [], [], []
    for bins, words in _runs(text):
        whole = len(bins) // size
        groups += np.reshape(bins[: whole * size], (whole, size)).tolist()
        labels += [""] * whole
        if len(bins) % size:
            skipped.append(f"{len(bins) % size} of {size} location tokens before {words!r}")
        elif whole:
            labels[-1] = words
        else:
            skipped.append(f"words {words!r}")
    return bins_to_values(np.reshape(groups, (-1, size))), labels, skipped


def _runs(text: str) -> Iterator[tuple[list[int], str]]:
    """Yields every run of neighbouring location tokens with the words behind it, first words with no run."""
    bins, words = [], ""
    for part in _BRACKETED.split(text):
        if part not in _BIN_OF:
            words += part
            continue
        if words.strip():
            yield bins, words.strip()
            bins = []
        words = ""
        bins.append(_BIN_OF[part])
    if bins or words.strip():
        yield bins, words.strip()
