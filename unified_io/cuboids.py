"""Cuboids in space, written as twelve location tokens each, and read back.

    u, v                centre in the picture          [-0.1, 1.1] of the square, linear
    depth               virtual depth of the centre    [0.1, 100] m, logarithmic
    w, h, l             dimensions                     [0.05, 20] m, logarithmic
    r1 .. r6            allocentric rotation, 6-D      [-1, 1], linear

Virtual depth is what the depth would be if the focal length were one side of the square: zooming in on a picture
changes it as it changes the size of things. The rotation is that relative to the ray through the centre, two columns
of its matrix: a thing that looks the same is turned the same, wherever it is in the picture. Knows no pixels.

Source: the quantities and the range of u, v as Unified-IO 2 has them, from Cube R-CNN; how they are mapped to tokens
was not published. Depth is logarithmic here: the released linear range has steps of ten centimetres.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from unified_io.errors import DataError
from unified_io.structures import text_to_values, to_middle, values_to_text

NUMBERS = 12
CENTRE = (-0.1, 1.1)
DEPTH = (0.1, 100.0)  # virtual metres
SIZE = (0.05, 20.0)  # metres

_LOW = np.array([CENTRE[0]] * 2 + [np.log(DEPTH[0])] + [np.log(SIZE[0])] * 3 + [-1.0] * 6)
_HIGH = np.array([CENTRE[1]] * 2 + [np.log(DEPTH[1])] + [np.log(SIZE[1])] * 3 + [1.0] * 6)


class Cuboids(NamedTuple):
    """Cuboids in the camera's frame (x right, y down, z forward) and what could not be read.

    Centres and dimensions (w, h, l) are in metres; a rotation's columns are the cuboid's own axes.
    """

    centers: Float[np.ndarray, "N 3"]
    dims: Float[np.ndarray, "N 3"]
    rotations: Float[np.ndarray, "N 3 3"]
    labels: list[str]
    skipped: list[str]


def writable(
    centers: Float[np.ndarray, "N 3"], dims: Float[np.ndarray, "N 3"], intrinsics: Float[np.ndarray, "3 3"]
) -> Bool[np.ndarray, " N"]:
    """Says which cuboids lie in front of the camera and within all ranges."""
    centers, dims = np.reshape(centers, (-1, 3)), np.reshape(dims, (-1, 3))
    front = (centers[:, 2] > 0) & (dims > 0).all(axis=1)
    safe = np.where(front[:, None], centers, [0, 0, 1])
    turned = np.tile(np.eye(3), (len(safe), 1, 1))
    numbers = _numbers(safe, np.where(front[:, None], dims, 1), turned, intrinsics)
    return front & ((numbers >= 0) & (numbers <= 1)).all(axis=1)


def cuboids_to_text(
    centers: Float[np.ndarray, "N 3"],
    dims: Float[np.ndarray, "N 3"],
    rotations: Float[np.ndarray, "N 3 3"],
    intrinsics: Float[np.ndarray, "3 3"],
    labels: Sequence[str] | None = None,
) -> str:
    """Writes cuboids, twelve location tokens each, followed by their labels.

    Args:
      centers: x, y, z in metres, camera's frame.
      dims: Width, height and length in metres.
      rotations: From the cuboid's frame to the camera's.
      intrinsics: Of the camera, its unit the side of the square that is shown.
      labels: One a cuboid.

    Raises:
      DataError: A cuboid is behind the camera or out of range; `writable` says which are not.
    """
    if not (good := writable(centers, dims, intrinsics)).all():
        raise DataError(
            f"cuboid {int(np.argmin(good))} is behind the camera or out of range (centre in {CENTRE} of the square, "
            f"virtual depth in {DEPTH} m, dimensions in {SIZE} m); leave it out"
        )
    numbers = _numbers(
        np.reshape(centers, (-1, 3)), np.reshape(dims, (-1, 3)), np.reshape(rotations, (-1, 3, 3)), intrinsics
    )
    return values_to_text(np.clip(numbers, 0, 1), NUMBERS, labels)


def text_to_cuboids(text: str, intrinsics: Float[np.ndarray, "3 3"]) -> Cuboids:
    """Reads cuboids; inverse of `cuboids_to_text` up to the width of a bin. Any twelve tokens are a cuboid."""
    found, labels, skipped = text_to_values(text, NUMBERS)
    numbers = _LOW + to_middle(found).astype(np.float64) * (_HIGH - _LOW)
    intrinsics = np.asarray(intrinsics, np.float64)
    depths = np.exp(numbers[:, 2]) * _focal(intrinsics)
    centred = np.concatenate([numbers[:, :2], np.ones((len(numbers), 1))], axis=1)
    centers = centred @ np.linalg.inv(intrinsics).T * depths[:, None]
    rotations = np.array([_facing(c) @ _from_six(r) for c, r in zip(centers, numbers[:, 6:], strict=True)])
    return Cuboids(centers, np.exp(numbers[:, 3:6]), rotations.reshape(-1, 3, 3), labels, skipped)


def _numbers(
    centers: np.ndarray, dims: np.ndarray, rotations: np.ndarray, intrinsics: np.ndarray
) -> Float[np.ndarray, "N 12"]:
    """What is written of cuboids, the ranges mapped to [0, 1]."""
    intrinsics, centers = np.asarray(intrinsics, np.float64), np.asarray(centers, np.float64)
    seen = centers @ intrinsics.T
    depths = centers[:, 2:] / _focal(intrinsics)
    turns = [
        (_facing(c).T @ np.asarray(r, np.float64))[:, :2].T.ravel()
        for c, r in zip(centers, rotations, strict=True)
    ]
    parts = [seen[:, :2] / seen[:, 2:], np.log(depths), np.log(dims), np.reshape(turns, (-1, 6))]
    return (np.concatenate(parts, axis=1) - _LOW) / (_HIGH - _LOW)


def _focal(intrinsics: np.ndarray) -> float:
    return float(np.sqrt(intrinsics[0, 0] * intrinsics[1, 1]))


def _facing(center: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """The smallest rotation that takes the camera's axis to the ray through a point in front of it."""
    x, y, z = center / np.linalg.norm(center)
    return np.array(
        [[1 - x * x / (1 + z), -x * y / (1 + z), x], [-x * y / (1 + z), 1 - y * y / (1 + z), y], [-x, -y, z]]
    )


def _from_six(numbers: Float[np.ndarray, "6"]) -> Float[np.ndarray, "3 3"]:
    """The rotation whose first two columns are nearest to six numbers, by Gram and Schmidt.

    Source: Zhou et al., "On the continuity of rotation representations in neural networks" (2019).
    """
    first, second = numbers[:3], numbers[3:]
    first = _unit(first, np.eye(3)[0])
    # An axis that is surely not parallel stands in where the two are.
    second = _unit(second - first @ second * first, _across(first))
    return np.stack([first, second, np.cross(first, second)], axis=1)


def _unit(vector: np.ndarray, other: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-6 else other


def _across(vector: np.ndarray) -> np.ndarray:
    other = np.cross(vector, np.eye(3)[np.argmin(np.abs(vector))])
    return other / np.linalg.norm(other)
