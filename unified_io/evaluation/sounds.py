"""Made log-mel spectrograms against true ones. Knows [frames, mels] in natural logarithm, exact zeros being silence."""

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation.media import log_mel_l1
from unified_io.evaluation.metric import Mean
from unified_io.mel import POWER_RANGE

Spectrogram = Float[np.ndarray, "frames mels"]

_SILENCE, _LOUDEST = np.log(POWER_RANGE)
_SCALES = (1, 2, 4, 8)


def audible(log_mel: Spectrogram) -> Spectrogram:
    """Returns a spectrogram in which silence is the least power there is, and nothing lies outside of the range."""
    found = np.asarray(log_mel, np.float64)
    return np.where(found == 0.0, _SILENCE, np.clip(found, _SILENCE, _LOUDEST))


def distance(made: Spectrogram, reference: Spectrogram) -> float:
    """Returns the mean absolute difference in units of the natural logarithm of power, silence counted as silent.

    Raises:
      DataError: The shapes differ, or are empty.
    """
    return log_mel_l1(audible(made), audible(reference))


def distances(made: Spectrogram, reference: Spectrogram) -> float:
    """Returns the mean of `distance` at four resolutions: cells of 1, 2, 4 and 8 frames and bands, averaged in power.

    A sound that comes a frame too early is forgiven by the coarse ones, one that is missing by none.

    Raises:
      DataError: The shapes differ, or a side has fewer than 8 cells.
    """
    if np.shape(made) != np.shape(reference) or min(np.shape(made), default=0) < max(_SCALES):
        raise DataError(
            f"spectrograms are {np.shape(made)} and {np.shape(reference)}; want equal shapes of "
            f"{max(_SCALES)} or more frames and bands"
        )
    return float(np.mean([log_mel_l1(_coarse(made, scale), _coarse(reference, scale)) for scale in _SCALES]))


def _coarse(log_mel: Spectrogram, scale: int) -> Spectrogram:
    frames, mels = (side // scale for side in log_mel.shape)
    cells = np.exp(audible(log_mel))[: frames * scale, : mels * scale].reshape(frames, scale, mels, scale)
    return np.log(cells.mean(axis=(1, 3)))


_WORST = float(_LOUDEST - _SILENCE)

LOG_MEL = Mean("log_mel_l1", 0.0, _WORST, lambda p, t: _WORST if p is None else distance(p, t))
MULTI_LOG_MEL = Mean("log_mel_l1_scales", 0.0, _WORST, lambda p, t: _WORST if p is None else distances(p, t))
