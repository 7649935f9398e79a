"""Maps of a picture (masks, depth, normals, flow) drawn as pictures that a model paints, and read back. Pure NumPy.

Every pair is the inverse of the other where the map is known. What a map does not know is drawn black.
"""

import numpy as np
from jaxtyping import Bool, Float

INSIDE = 0.5
"""Grey above it is inside of a mask."""
INDOORS = 10.0
"""Metres that white stands for in a map of depth, unless it is said otherwise."""
REACH = 0.25
"""Part of the picture's side that full red or green stands for in a map of flow, unless it is said otherwise."""


def mask_to_pixels(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Draws a mask white on black."""
    return _grey(np.asarray(mask, np.float32))


def pixels_to_mask(pixels: Float[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """Reads a mask; inverse of `mask_to_pixels`.

    Source: the released evaluation, which takes the mean of the channels, too.
    """
    return pixels.mean(axis=2) > INSIDE


def depth_to_pixels(metres: Float[np.ndarray, "h w"], most: float = INDOORS) -> Float[np.ndarray, "h w 3"]:
    """Draws depth as grey: black is 0 m, white is `most` or farther."""
    return _grey(np.clip(metres / np.float32(most), 0.0, 1.0).astype(np.float32))


def pixels_to_depth(pixels: Float[np.ndarray, "h w 3"], most: float = INDOORS) -> Float[np.ndarray, "h w"]:
    """Reads depth in metres; inverse of `depth_to_pixels` up to `most`.

    Source: white is far, as in the released evaluation; the documentation of the PyTorch release says the opposite.
    """
    return (pixels.mean(axis=2) * most).astype(np.float32)


def normals_to_pixels(vectors: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Draws unit vectors (x, y, z) as red, green and blue, (n + 1) / 2; zeros, which are unknown, are black."""
    drawn = np.clip((vectors + 1.0) / 2.0, 0.0, 1.0)
    return np.where(np.any(vectors != 0.0, axis=2, keepdims=True), drawn, 0.0).astype(np.float32)


def pixels_to_normals(pixels: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Reads unit vectors; inverse of `normals_to_pixels`. Middle grey, which has no direction, faces the camera."""
    vectors = 2.0 * np.asarray(pixels, np.float32) - 1.0
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    towards = np.array([0.0, 0.0, 1.0])
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), towards).astype(np.float32)


def flow_to_pixels(
    flow: Float[np.ndarray, "h w 2"], known: Bool[np.ndarray, "h w"], reach: float = REACH
) -> Float[np.ndarray, "h w 3"]:
    """Draws flow: u as red, v as green, linearly from -reach to reach; blue says where it is known.

        u = v = 0 -> (0.5, 0.5, 1), u = reach -> (1, 0.5, 1), unknown -> black

    Args:
      flow: (u to the right, v down), as parts of the picture's side.
      known: Where there is flow.
      reach: What full red or green stands for; flow beyond it can not be drawn and counts as unknown.

    Source: our choice; nothing is published. A colour wheel can not be read back as exactly.
    """
    inside = known & (np.abs(flow) <= reach).all(axis=2)
    drawn = np.concatenate([(flow / reach + 1.0) / 2.0, np.ones((*flow.shape[:2], 1))], axis=2)
    return np.where(inside[:, :, None], drawn, 0.0).astype(np.float32)


def pixels_to_flow(
    pixels: Float[np.ndarray, "h w 3"], reach: float = REACH
) -> tuple[Float[np.ndarray, "h w 2"], Bool[np.ndarray, "h w"]]:
    """Reads flow and where it is known; inverse of `flow_to_pixels`."""
    flow = (2.0 * np.asarray(pixels[:, :, :2], np.float32) - 1.0) * np.float32(reach)
    return flow, pixels[:, :, 2] > INSIDE


def _grey(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    return np.repeat(values[:, :, None], 3, axis=2)
