"""Where a camera stands against where it truly stands. Knows angles and metres, not pictures.

A camera is (theta, phi, r): the angle from the z axis and the azimuth in radians, the distance to the thing in metres.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean

Camera = Sequence[float]

_RADIUS_RANGE = 1.4  # m: distances change by .7 at most either way


def angle_error(predicted: Camera | None, truth: Camera) -> float:
    """Returns the angle in radians between the directions in which two cameras stand; π without a prediction.

    Raises:
      DataError: A camera is not three numbers.
    """
    if predicted is None:
        return np.pi
    apart = np.linalg.norm(_direction(predicted) - _direction(truth))
    # Not the arc cosine of their product, which is blind to small angles.
    return float(2.0 * np.arcsin(min(1.0, apart / 2.0)))


def radius_error(predicted: Camera | None, truth: Camera) -> float:
    """Returns the error of the distance in metres; without a prediction 1.4, the widest between two changes.

    Raises:
      DataError: A camera is not three numbers.
    """
    return _RADIUS_RANGE if predicted is None else float(abs(_checked(predicted)[2] - _checked(truth)[2]))


def _direction(camera: Camera) -> Float[np.ndarray, "3"]:
    theta, phi, _ = _checked(camera)
    return np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])


def _checked(camera: Camera) -> Float[np.ndarray, "3"]:
    array = np.asarray(camera, np.float64)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise DataError(f"camera is {camera!r}; want (theta, phi, r)")
    return array


ANGLE = Mean("camera_angle", 0.0, np.pi, angle_error)
RADIUS = Mean("camera_radius", 0.0, _RADIUS_RANGE, radius_error)
