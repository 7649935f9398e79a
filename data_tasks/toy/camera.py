"""A pinhole camera: where it stands, the ray of every pixel, and where a point falls in the picture.

Camera frame: x to the right, y down, z away from the camera, metres. Pixel (row, column) covers the unit square whose
corner it is, so its middle lies at column + 0.5. Knows no things.
"""

import functools
import math

import numpy as np
from jaxtyping import Float

from data_tasks.toy.scene import Camera

TARGET = (0.0, 0.0, 0.25)
"""What every camera looks at."""
FIELD = math.radians(40.0)
"""Angle between the left and the right edge of a picture."""


def origin(camera: Camera) -> Float[np.ndarray, "3"]:
    """Returns where a camera stands in the world."""
    return np.array(TARGET) + camera.r * _outward(camera)


def rotation(camera: Camera) -> Float[np.ndarray, "3 3"]:
    """Returns the matrix that turns directions of the world into the camera's frame: its right, down and away."""
    down = np.array(
        [
            math.cos(camera.theta) * math.cos(camera.phi),
            math.cos(camera.theta) * math.sin(camera.phi),
            -math.sin(camera.theta),
        ]
    )
    right = np.array([-math.sin(camera.phi), math.cos(camera.phi), 0.0])
    return np.stack([right, down, -_outward(camera)])


def intrinsics(size: int) -> Float[np.ndarray, "3 3"]:
    """Returns the 3x3 matrix that takes points of the camera's frame to (column, row, 1) times depth."""
    focal = size / 2 / math.tan(FIELD / 2)
    return np.array([[focal, 0.0, size / 2], [0.0, focal, size / 2], [0.0, 0.0, 1.0]])


def to_camera(camera: Camera, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
    """Takes points of the world to the camera's frame."""
    return (np.asarray(points, np.float64) - origin(camera)) @ rotation(camera).T


def project(
    camera: Camera, points: Float[np.ndarray, "*n 3"]
) -> tuple[Float[np.ndarray, "*n 2"], Float[np.ndarray, "*n"]]:
    """Returns where points of the world fall, (y, x) in [0, 1] of the picture, and their depth in metres."""
    local = to_camera(camera, points)
    depth = local[..., 2]
    half = math.tan(FIELD / 2)
    return 0.5 + local[..., 1::-1] / (2 * half * depth[..., None]), depth


def rays(camera: Camera, size: int) -> Float[np.ndarray, "n 3"]:
    """Returns the direction of every pixel's middle in the world, row by row; a step of 1 goes 1 m deep."""
    return _grid(size) @ rotation(camera)


@functools.lru_cache(maxsize=8)
def _grid(size: int) -> Float[np.ndarray, "n 3"]:
    across = ((np.arange(size) + 0.5) / size * 2 - 1) * math.tan(FIELD / 2)
    y, x = np.meshgrid(across, across, indexing="ij")
    grid = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3)
    grid.setflags(write=False)
    return grid


def _outward(camera: Camera) -> Float[np.ndarray, "3"]:
    return np.array(
        [
            math.sin(camera.theta) * math.cos(camera.phi),
            math.sin(camera.theta) * math.sin(camera.phi),
            math.cos(camera.theta),
        ]
    )
