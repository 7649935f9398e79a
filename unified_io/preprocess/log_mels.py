"""Log-mel spectrograms as Whisper and CLAP read them. Knows NumPy and librosa's filters."""

import functools

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError

_LEAST = 1e-10

WHISPER_RATE, WHISPER_SECONDS = 16_000, 30
CLAP_RATE, CLAP_SECONDS = 48_000, 10


@functools.lru_cache(maxsize=8)
def _filters(rate: int, n_fft: int, mels: int, fmin: float, fmax: float) -> Float[np.ndarray, "bins mels"]:
    from librosa.filters import mel

    filters = mel(sr=rate, n_fft=n_fft, n_mels=mels, fmin=fmin, fmax=fmax, dtype=np.float64).T
    filters.setflags(write=False)
    return filters


def _power(waveform: Float[np.ndarray, " n"], n_fft: int, hop: int) -> Float[np.ndarray, "frames bins"]:
    """The power spectrum in 1 + n // hop centred frames with reflected ends and a periodic Hann window."""
    padded = np.pad(waveform.astype(np.float64), n_fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    spectrum = np.fft.rfft(frames * np.hanning(n_fft + 1)[:-1], axis=-1)
    return spectrum.real**2 + spectrum.imag**2


def _checked(waveform: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not waveform.size or not np.issubdtype(waveform.dtype, np.floating):
        raise DataError(
            f"sound is {waveform.dtype} {waveform.shape}; give one row of floats in [-1, 1] with samples in it "
            "(mix channels first)"
        )
    return waveform


def whisper(
    waveform: Float[np.ndarray, " n"], *, mels: int = 80, seconds: int = WHISPER_SECONDS
) -> Float[np.ndarray, "frames mels"]:
    """Returns the spectrogram that Whisper reads of a sound: a frame every 10 ms of the first half minute.

    What is missing is silence. Values are (log10(power) + 4) / 4, at most 8 / 4 below the largest.

    Args:
      waveform: Sound in [-1, 1] at `WHISPER_RATE` Hz.
      mels: Mel bands: 80, or 128 for large-v3.
      seconds: How long the spectrogram is.

    Raises:
      DataError: The sound is not one row of floats, or empty.
    """
    samples = seconds * WHISPER_RATE
    waveform = _checked(waveform)[:samples]
    waveform = np.pad(waveform, (0, samples - len(waveform)))
    # The last frame would be centred on the end of the sound.
    energy = _power(waveform, 400, 160)[:-1] @ _filters(WHISPER_RATE, 400, mels, 0.0, 8000.0)
    logarithm = np.log10(np.maximum(energy, _LEAST))
    return ((np.maximum(logarithm, logarithm.max() - 8.0) + 4.0) / 4.0).astype(np.float32)


def clap(
    waveform: Float[np.ndarray, " n"], *, start: int = 0, fmin: float = 50.0, fmax: float = 14_000.0
) -> Float[np.ndarray, "1001 64"]:
    """Returns the spectrogram that CLAP without feature fusion reads of a sound: a frame every 10 ms of ten seconds.

    A shorter sound is repeated as often as it fits, and silence lies behind. Values are in decibels.

    Args:
      waveform: Sound in [-1, 1] at `CLAP_RATE` Hz.
      start: First sample that is read of a longer sound; the released code draws it at random.
      fmin: Lower edge of the lowest band, Hz.
      fmax: Upper edge of the highest band, Hz.

    Raises:
      DataError: The sound is not one row of floats, or empty, or has less than ten seconds from `start` on although
        it is longer.
    """
    samples = CLAP_SECONDS * CLAP_RATE
    waveform = _checked(waveform)
    if not 0 <= start <= max(len(waveform) - samples, 0):
        raise DataError(
            f"a sound of {len(waveform)} samples can not be read from sample {start} on; choose 0 to "
            f"{max(len(waveform) - samples, 0)}"
        )
    waveform = waveform[start : start + samples]
    waveform = np.tile(waveform, samples // len(waveform))
    waveform = np.pad(waveform, (0, samples - len(waveform)))
    energy = _power(waveform, 1024, 480) @ _filters(CLAP_RATE, 1024, 64, fmin, fmax)
    return (10.0 * np.log10(np.maximum(energy, _LEAST))).astype(np.float32)
