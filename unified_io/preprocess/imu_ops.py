"""Motion out of files: acceleration and rotation at one rate, cut into windows. Knows no encoder."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError

CHANNELS = 6
"""Three of acceleration, then three of rotation."""

RATE = 200
"""Steps a second that encoders read."""

SUFFIXES = (".npy", ".csv")
MAX_BYTES = 2**30


def read(path: str | Path, rate: float) -> Float[np.ndarray, "n 6"]:
    """Reads motion that was recorded at `rate` steps a second and returns it at `RATE`.

    Args:
      path: An array `[steps, 6]` in a `.npy`, or a `.csv` with a line a step and, if you like, a line of names first.
      rate: Steps a second of the file.

    Raises:
      DataError: The file is missing, empty, too large, of another kind or shape, or holds NaN or infinity; names it.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path} is no {' or '.join(SUFFIXES)}; save the motion as one of them")
    if not path.is_file():
        raise DataError(f"no motion at {path}; give the path of a file")
    if not 0 < (size := path.stat().st_size) <= MAX_BYTES:
        raise DataError(f"{path} is {size} bytes long; motion may have 1 to {MAX_BYTES}")
    values = _array(path) if path.suffix.lower() == ".npy" else _table(path)
    return resample(checked(values, str(path)), rate)


def resample(motion: Float[np.ndarray, "n C"], rate: float, wanted: int = RATE) -> Float[np.ndarray, "m C"]:
    """Returns motion of `rate` steps a second at `wanted`; what is faster than half of the lower rate is filtered out.

    Raises:
      DataError: A rate that no sensor has.
    """
    from fractions import Fraction

    from scipy.signal import resample_poly

    if not 1.0 <= rate <= 100_000.0:
        raise DataError(f"motion at {rate!r} steps a second; wanted a rate from 1 to 100000")
    factor = Fraction(wanted) / Fraction(rate).limit_denominator(1000)
    if factor == 1:
        return motion.astype(np.float32)
    # "line": the filter sees no jump to zero at the ends of a signal that rests at gravity.
    return resample_poly(
        motion.astype(np.float64), factor.numerator, factor.denominator, axis=0, padtype="line"
    ).astype(np.float32)


def windows(
    motion: Float[np.ndarray, "n C"], *, seconds: float = 5.0, rate: int = RATE
) -> Float[np.ndarray, "N steps C"]:
    """Cuts motion into windows, one behind the other.

        12 s in windows of 5 s      0 - 5, 5 - 10        (the last 2 s are less than half a window)
         2 s                        0 - 2 and zeros

    What is left over is a window of its own, with zeros behind it, if it is at least half of one; else it is cut.
    Motion that is not empty has at least one window.

    Raises:
      DataError: There is no step of motion, or none in a window.
    """
    steps = round(seconds * rate)
    if steps < 1 or not len(motion):
        raise DataError(f"{len(motion)} steps of motion in windows of {steps}; there must be one of each")
    count, rest = divmod(len(motion), steps)
    count = max(count + (2 * rest >= steps), 1)
    cut = motion[: count * steps]
    padded = np.pad(cut, ((0, count * steps - len(cut)), (0, 0)))
    return padded.reshape(count, steps, motion.shape[1])


def _array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{path} can not be read as an array ({error}); save it with numpy.save, as numbers"
        ) from error


def _table(path: Path) -> np.ndarray:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text ({error}); save it as UTF-8") from error
    lines = [line for line in lines if line.strip()]
    rows = []
    for number, line in enumerate(lines):
        try:
            rows.append([float(cell) for cell in line.split(",")])
        except ValueError as error:
            if number:
                raise DataError(f"{path}: line {number + 1} with content is no numbers ({error})") from error
    if len({len(row) for row in rows}) > 1:
        raise DataError(
            f"{path} has lines of {sorted({len(row) for row in rows})} numbers; wanted {CHANNELS}"
        )
    return np.asarray(rows, np.float64)


def checked(values: np.ndarray, name: str) -> Float[np.ndarray, "n 6"]:
    """Returns an array of motion.

    Raises:
      DataError: It is empty, of another shape, or holds NaN or infinity; calls it by its name.
    """
    if not values.size:
        raise DataError(f"{name} holds no step of motion; was the recording empty?")
    if values.dtype.kind not in "fiu":
        raise DataError(f"{name} holds {values.dtype}; wanted numbers")
    if values.ndim != 2 or values.shape[1] != CHANNELS:
        turned = "; transpose it" if values.ndim == 2 and values.shape[0] == CHANNELS else ""
        raise DataError(
            f"{name} is of shape {values.shape}, wanted [steps, {CHANNELS}]: three of acceleration, three of "
            f"rotation, and no time{turned}"
        )
    if not np.isfinite(values).all():
        step = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise DataError(f"{name} holds NaN or infinity at step {step}; fill the gap or cut it out")
    return values
