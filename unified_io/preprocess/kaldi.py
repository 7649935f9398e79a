"""Filter banks as Kaldi takes them, and as BEATs and ImageBind read them. Knows NumPy only."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Float

from unified_io import errors
from unified_io.errors import ConfigError, DataError

WINDOWS = ("povey", "hanning")
_LEAST = np.finfo(np.float32).eps


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilterBankConfig:
    """How a filter bank is taken: frames of 25 ms, one every 10 ms, only where they fit into the sound.

    Attributes:
      sample_rate: Samples per second of the sound, Hz.
      mels: Mel bands, from `fmin` Hz to half the sample rate.
      window: "hanning", or "povey": that to the power 0.85.
      preemphasis: How much of the sample before is subtracted.
      scale: What samples in [-1, 1] are multiplied with.
      centred: Subtract the mean of the sound first.
      mean: Subtracted from the logarithms at the end.
      deviation: By which they are divided then.
    """

    sample_rate: int = 16000
    mels: int = 128
    fmin: float = 20.0
    window: str = "povey"
    preemphasis: float = 0.97
    scale: float = 1.0
    centred: bool = False
    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self):
        if self.window not in WINDOWS:
            raise errors.unknown("window", self.window, WINDOWS)
        if not 0 <= self.fmin < self.sample_rate / 2:
            raise ConfigError(f"fmin {self.fmin} Hz must be below half of the sample rate {self.sample_rate}")

    @property
    def samples(self) -> int:
        """Samples of a frame."""
        return self.sample_rate * 25 // 1000

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.sample_rate * 10 // 1000

    @property
    def n_fft(self) -> int:
        """Samples of a frame with the zeros behind it: the next power of two."""
        return 1 << (self.samples - 1).bit_length()


BEATS = FilterBankConfig(scale=2.0**15, mean=15.41663, deviation=2 * 6.55582)
IMAGEBIND = FilterBankConfig(window="hanning", centred=True, mean=-4.268, deviation=9.138)


@functools.lru_cache(maxsize=8)
def _filters(config: FilterBankConfig) -> Float[np.ndarray, "bins mels"]:
    """Triangles of height one, evenly spaced in mel; the highest bin is in none of them."""

    def mel(hertz):
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    edges = np.linspace(mel(config.fmin), mel(config.sample_rate / 2), config.mels + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = mel(np.arange(config.n_fft // 2) * config.sample_rate / config.n_fft)[:, None]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    filters = np.pad(np.maximum(triangles, 0.0), ((0, 1), (0, 0)))
    filters.setflags(write=False)
    return filters


def _window(config: FilterBankConfig) -> Float[np.ndarray, " samples"]:
    return np.hanning(config.samples) ** (0.85 if config.window == "povey" else 1.0)


def filter_bank(
    waveform: Float[np.ndarray, " n"], config: FilterBankConfig
) -> Float[np.ndarray, "frames mels"]:
    """Returns the natural logarithm of the energy in every frame and mel band, normalised as the config says.

    Nothing is dithered. An energy is at least 2^-23.

    Raises:
      DataError: The sound is not one row of floats, or is shorter than a frame.

    Source: Kaldi's compute-fbank-feats, with its defaults where the config says nothing else.
    """
    waveform = np.asarray(waveform)
    if waveform.ndim != 1 or not np.issubdtype(waveform.dtype, np.floating):
        raise DataError(
            f"sound is {waveform.dtype} {waveform.shape}; give one row of floats in [-1, 1] (mix channels first)"
        )
    if len(waveform) < config.samples:
        raise DataError(
            f"sound has {len(waveform)} samples but a frame has {config.samples}; pad it with zeros"
        )
    waveform = waveform.astype(np.float64)
    if config.centred:
        waveform = waveform - waveform.mean()
    frames = np.lib.stride_tricks.sliding_window_view(waveform * config.scale, config.samples)[:: config.hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectrum = np.fft.rfft((frames - config.preemphasis * before) * _window(config), config.n_fft)
    energy = (spectrum.real**2 + spectrum.imag**2) @ _filters(config)
    normalised = (np.log(np.maximum(energy, _LEAST)) - config.mean) / config.deviation
    return normalised.astype(np.float32)


def beats(
    waveform: Float[np.ndarray, " n"], *, segments: int = 2, frames: int = 512
) -> tuple[Float[np.ndarray, "segments frames 128"], Bool[np.ndarray, "segments frames"]]:
    """Returns the filter banks that BEATs reads of the first seconds of a sound, and which frames are real.

    A segment is 5.12 s; behind the sound lie zeros, the mean of sounds. With other numbers of segments or frames the
    whole is as much longer or shorter.

    Raises:
      DataError: As `filter_bank`.

    Source: X-InstructBLIP's public code.
    """
    bank = filter_bank(waveform, BEATS)[: segments * frames]
    missing = segments * frames - len(bank)
    mask = np.arange(segments * frames) < len(bank)
    padded = np.pad(bank, ((0, missing), (0, 0)))
    return padded.reshape(segments, frames, -1), mask.reshape(segments, frames)


def imagebind(
    waveform: Float[np.ndarray, " n"], *, clips: int = 3, seconds: float = 2.0, frames: int = 204
) -> Float[np.ndarray, "clips frames 128"]:
    """Returns the filter banks that ImageBind reads of a sound: of clips that are spread evenly from end to end.

        a sound of 10 s in 3 clips of 2 s      0 - 2, 4 - 6, 8 - 10
        a sound of 2 s                         the whole, three times

    Behind what a clip has lie energies of 1.

    Raises:
      DataError: As `filter_bank`.

    Source: ImageBind's public code.
    """
    length = len(waveform) / IMAGEBIND.sample_rate
    starts = np.arange(clips) * max(length - seconds, 0.0) / max(clips - 1, 1)
    banks = []
    for start in starts:
        first, last = (int(at * IMAGEBIND.sample_rate) for at in (start, start + seconds))
        bank = filter_bank(waveform[first:last], IMAGEBIND)[:frames]
        one = -IMAGEBIND.mean / IMAGEBIND.deviation
        banks.append(np.pad(bank, ((0, frames - len(bank)), (0, 0)), constant_values=one))
    return np.stack(banks)
