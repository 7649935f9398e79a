"""Surface normals against true ones: angles, and GRIT's score, which forgives a turned camera. Knows arrays only.

Normals are [h, w, 3] of any length; zeros are unknown.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from unified_io.errors import DataError

Normals = Float[np.ndarray, "h w 3"]

CLOSE = 11.25  # degrees
_TRIES = 500  # rotations
_JUDGES = 500  # pixels that choose among rotations
_UNKNOWN = (0, 128, 201)  # greys that say so in GRIT's files
_MIDDLE = 122.5  # which GRIT reads as 0, although half of 255 is another number


def angles(predicted: Normals | None, truth: Normals) -> Float[np.ndarray, "n"]:
    """Returns the angle in degrees at every pixel that the truth knows; 180 where nothing was predicted.

    Raises:
      DataError: The maps differ in shape, are no [h, w, 3], or no pixel is known.
    """
    made, true = _known(predicted, truth)
    if not len(true):
        raise DataError("the true normals are zero everywhere, so nothing is known; leave the example out")
    return _degrees(np.sum(made * true, axis=-1), made)


def aligned_share(predicted: Normals | None, truth: Normals) -> float:
    """Returns the share of known pixels within 11.25° of the truth, after the rotation that brings most there.

    The rotation is searched among 500 that two random pixels give, and none; a fixed seed makes it the same every time.
    Pixels at an edge of more than 40° do not count. 1 where nothing is known.

    Raises:
      DataError: The maps differ in shape, or are no [h, w, 3].

    Source: the surface normal score of the GRIT benchmark. It draws pixels from the first rows only; we from all.
    """
    made, true = _known(predicted, truth, but_edges=True)
    if not len(true):
        return 1.0
    rng = np.random.default_rng(0)
    turns = _rotations(made, true, rng.integers(len(true), size=(_TRIES, 2)))
    asked = rng.choice(len(true), size=min(_JUDGES, len(true)), replace=False)
    cosines = np.einsum("rij,nj,ni->rn", turns, made[asked], true[asked])
    best = turns[int(np.argmax(np.count_nonzero(cosines > np.cos(np.radians(CLOSE)), axis=1)))]
    return float(np.mean(_degrees(np.einsum("ij,nj,ni->n", best, made, true), made) < CLOSE))


def edges(normals: Normals, degrees: float = 40.0) -> Bool[np.ndarray, "h w"]:
    """Returns the pixels whose normal differs from a neighbour's by more than so many degrees."""
    units = _units(normals)
    found = np.zeros(units.shape[:2], bool)
    limit = np.cos(np.radians(degrees))
    beside = np.sum(units[:, 1:] * units[:, :-1], axis=-1) < limit
    below = np.sum(units[1:] * units[:-1], axis=-1) < limit
    known = units.any(axis=-1)
    beside &= known[:, 1:] & known[:, :-1]
    below &= known[1:] & known[:-1]
    found[:, 1:] |= beside
    found[:, :-1] |= beside
    found[1:] |= below
    found[:-1] |= below
    return found


def read_grit(rgb: Int[np.ndarray, "h w 3"]) -> Normals:
    """Returns the normals of one of GRIT's pictures (0 to 255), as GRIT reads them; its three greys are unknown."""
    pixels = np.asarray(rgb)
    unknown = np.logical_or.reduce([(pixels == grey).all(axis=-1) for grey in _UNKNOWN])
    return np.where(unknown[..., None], 0.0, _units((pixels.astype(np.float64) - _MIDDLE) / _MIDDLE))


def _known(
    predicted: Normals | None, truth: Normals, but_edges: bool = False
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    true = np.asarray(truth, np.float64)
    made = np.zeros_like(true) if predicted is None else np.asarray(predicted, np.float64)
    if made.shape != true.shape or true.ndim != 3 or true.shape[2] != 3:
        raise DataError(f"normals are {made.shape}, the true ones {true.shape}; want equal [h, w, 3]")
    known = true.any(axis=-1)
    if but_edges:
        known &= ~edges(true)
    return _units(made)[known], _units(true)[known]


def _units(normals: Float[np.ndarray, "*s 3"]) -> Float[np.ndarray, "*s 3"]:
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.divide(normals, length, out=np.zeros_like(normals, dtype=np.float64), where=length > 1e-9)


def _degrees(cosines: Float[np.ndarray, "n"], made: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    return np.where(made.any(axis=-1), np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))), 180.0)


def _rotations(
    made: Float[np.ndarray, "n 3"], true: Float[np.ndarray, "n 3"], pairs: Int[np.ndarray, "r 2"]
) -> Float[np.ndarray, "r1 3 3"]:
    """Returns no rotation first, then for each pair of pixels the one that takes what was made nearest to the truth."""
    u, _, vt = np.linalg.svd(np.einsum("rpi,rpj->rij", true[pairs], made[pairs]))
    sign = np.ones((len(pairs), 3))
    sign[:, 2] = np.linalg.det(u) * np.linalg.det(vt)
    return np.concatenate([np.eye(3)[None], (u * sign[:, None, :]) @ vt])
