"""Sound to log-mel spectrogram, and back by Griffin-Lim. Knows NumPy only: no model, no segmentation of long sounds."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float

from unified_io.errors import ConfigError, DataError

POWER_RANGE = (1e-5, 1e5)


@dataclasses.dataclass(frozen=True)
class MelConfig:
    """How a spectrogram is taken; the defaults are those of the released Unified-IO 2.

    Attributes:
      sample_rate: Samples per second of the sound, Hz.
      n_fft: Samples per frame; the window is as long.
      hop: Samples from one frame to the next.
      mels: Mel bands.
      fmin: Lower edge of the lowest band, Hz.
      fmax: Upper edge of the highest band, Hz.
      frames: Frames of one segment.
    """

    sample_rate: int = 16000
    n_fft: int = 1024
    hop: int = 256
    mels: int = 128
    fmin: float = 0.0
    fmax: float = 8000.0
    frames: int = 256

    def __post_init__(self):
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise ConfigError(
                f"mel bands from {self.fmin} to {self.fmax} Hz do not fit a sound of {self.sample_rate} Hz; "
                f"choose 0 <= fmin < fmax <= {self.sample_rate / 2}"
            )
        if self.samples <= self.n_fft // 2:
            raise ConfigError(
                f"{self.frames} frames of hop {self.hop} are {self.samples} samples, too short to reflect half "
                f"a window of {self.n_fft}; use more frames or a smaller n_fft"
            )

    @property
    def samples(self) -> int:
        """Samples of one segment: centred frames start at sample 0 and end at the last one."""
        return (self.frames - 1) * self.hop


def _mel_scale(hertz: np.ndarray) -> np.ndarray:
    """Slaney's scale: linear up to 1000 Hz (15 mel), then 27 mel for every factor 6.4."""
    return np.where(
        hertz < 1000.0, hertz * 0.015, 15.0 + 27.0 * np.log(np.maximum(hertz, 1.0) / 1000.0) / np.log(6.4)
    )


def _hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15.0, mel / 0.015, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


@functools.lru_cache(maxsize=8)
def mel_filters(config: MelConfig) -> Float[np.ndarray, "bins mels"]:
    """Returns the triangular Slaney filters, each of unit area over frequency. Treat the array as read-only."""
    frequencies = np.linspace(0.0, config.sample_rate / 2, config.n_fft // 2 + 1)[:, None]
    low, high = _mel_scale(np.array([config.fmin, config.fmax]))
    edges = _hertz(np.linspace(low, high, config.mels + 2))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - left) / (centre - left)
    falling = (right - frequencies) / (right - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (right - left)
    filters = filters.astype(np.float32)
    filters.setflags(write=False)
    return filters


@functools.lru_cache(maxsize=8)
def window(length: int) -> Float[np.ndarray, " length"]:
    """Returns the Hann window that the frames are weighted with. Treat the array as read-only.

    It is symmetric: the periodic one is the usual choice, but not that of the released system.
    """
    weights = np.hanning(length).astype(np.float32)
    weights.setflags(write=False)
    return weights


def power(waveform: Float[np.ndarray, "n"], config: MelConfig) -> Float[np.ndarray, "frames bins"]:
    """Returns the power spectrum of a whole sound in 1 + n // hop centred frames with reflected ends.

    Raises:
      DataError: The sound is not one row of floats, or is no longer than half a window.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise DataError(
            f"sound is {waveform.dtype} {waveform.shape}; give one row of floats in [-1, 1] (mix channels first)"
        )
    half = config.n_fft // 2
    if len(waveform) <= half:
        raise DataError(f"sound has {len(waveform)} samples but half a window has {half}; pad it with zeros")
    padded = np.pad(waveform.astype(np.float32), half, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.n_fft)[:: config.hop]
    spectrum = np.fft.rfft(frames * window(config.n_fft), axis=-1)
    return spectrum.real**2 + spectrum.imag**2


def mel_power(waveform: Float[np.ndarray, "n"], config: MelConfig) -> Float[np.ndarray, "frames mels"]:
    """Returns the power spectrogram of a whole sound: `power` in mel bands.

    Raises:
      DataError: The sound is not one row of floats, or is no longer than half a window.
    """
    return power(waveform, config) @ mel_filters(config)


def logarithm(mel_power: Float[np.ndarray, "frames mels"]) -> Float[np.ndarray, "frames mels"]:
    """Returns the natural logarithm of a power spectrogram, clipped to `POWER_RANGE`; exact silence stays exactly 0."""
    return np.where(mel_power > 0, np.log(np.clip(mel_power, *POWER_RANGE)), 0.0).astype(np.float32)


def log_mel(waveform: Float[np.ndarray, "n"], config: MelConfig) -> Float[np.ndarray, "frames mels"]:
    """Returns the natural-log mel spectrogram of one segment; exact silence stays exactly 0.

    Args:
      waveform: Sound in [-1, 1] at `config.sample_rate` Hz. What exceeds `config.samples` is cut, what is missing
        becomes silence at the end.
      config: How the spectrogram is taken.

    Source: Unified-IO 2, section 3.1 and appendix B.3; the window, and 0 for silence, as in the released code.
    """
    waveform = np.asarray(waveform)[: config.samples]
    if waveform.size == 0:
        return np.zeros((config.frames, config.mels), np.float32)
    return logarithm(mel_power(np.pad(waveform, (0, config.samples - len(waveform))), config))


def griffin_lim(
    log_mel: Float[np.ndarray, "frames mels"], config: MelConfig, iterations: int = 32
) -> Float[np.ndarray, "n"]:
    """Returns a sound with about this spectrogram: `log_mel` backwards, its phase found by iteration.

    The same spectrogram always gives the same sound. Exact zeros become silence.

    Args:
      log_mel: Natural-log mel spectrogram, of any number of frames.
      config: How it was taken.
      iterations: Rounds of the search for the phase.

    Raises:
      DataError: The spectrogram has other bands than the config.

    Source: Griffin and Lim 1984, in librosa's accelerated form; Unified-IO 2 uses it where no vocoder is at hand.
    """
    import librosa

    if log_mel.ndim != 2 or log_mel.shape[1] != config.mels:
        raise DataError(
            f"log-mel is {log_mel.shape} but the config has [frames, {config.mels}]; give its own config"
        )
    powers = np.exp(np.clip(log_mel, *np.log(POWER_RANGE))) * (log_mel != 0)
    magnitude = librosa.feature.inverse.mel_to_stft(
        powers.T.astype(np.float32),
        sr=config.sample_rate,
        n_fft=config.n_fft,
        power=2.0,
        fmin=config.fmin,
        fmax=config.fmax,
    )
    waveform = librosa.griffinlim(
        magnitude,
        n_iter=iterations,
        hop_length=config.hop,
        n_fft=config.n_fft,
        window=window(config.n_fft),
        pad_mode="reflect",
        random_state=0,
    )
    return np.clip(waveform, -1.0, 1.0).astype(np.float32)
