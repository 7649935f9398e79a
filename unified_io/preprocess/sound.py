"""Sound read into float32 mono in [-1, 1] at the rate the model wants, cut into segments, and written."""

import numbers
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from unified_io.errors import DataError
from unified_io.mel import MelConfig
from unified_io.preprocess.sources import is_source, opened

MAX_SECONDS = 3600.0
MAX_SAMPLES = 2**28  # in all channels: a gigabyte
MAX_CHANNELS = 64
LEAST_RATE, MOST_RATE = 1_000, 1_000_000  # Hz
LOUDEST = 10.0  # nothing in [-1, 1] overshoots like this; whole numbers that were made floats do
TAIL = 0.1  # seconds that do not count when the rest of a sound is weighed against half a segment


def read(value: Any, sample_rate: int) -> Float[np.ndarray, " n"]:
    """Reads a sound: a path or the bytes of a file, a waveform at `sample_rate`, or a pair (waveform, its rate).

    Files are what libsndfile decodes: WAV, FLAC, Ogg, MP3, AIFF. A waveform is [samples] or [samples, channels], of
    floats in [-1, 1] or of 8-, 16- or 32-bit whole numbers. Channels are averaged.

    Raises:
      DataError: The file is missing, broken, too long or no sound; the waveform is empty, too long, not finite, too
        loud to be in [-1, 1], or of another shape.
    """
    if is_source(value):
        value = read_file(value)
    waveform, rate = value if isinstance(value, tuple) and len(value) == 2 else (value, sample_rate)
    if not isinstance(rate, numbers.Real) or not LEAST_RATE <= rate <= MOST_RATE or rate != int(rate):
        raise DataError(f"a sample rate of {rate!r}; wanted whole Hz from {LEAST_RATE} to {MOST_RATE}")
    waveform = _mono(np.asarray(waveform), rate)
    return waveform if rate == sample_rate else resample(waveform, int(rate), sample_rate)


def read_file(value: str | Path | bytes) -> tuple[Float[np.ndarray, "n channels"], int]:
    """Reads a sound file from a path or from its bytes: samples in [-1, 1] and the sample rate in Hz.

    Raises:
      DataError: The file is missing, broken, too long or no sound.
    """
    import soundfile

    with opened(value, "a sound") as (name, source), soundfile.SoundFile(source) as file:
        check_length(file.frames, file.channels, file.samplerate, name)  # before anything is decoded
        return file.read(dtype="float32", always_2d=True), file.samplerate


def write_wav(path: Path, waveform: Float[np.ndarray, " n"], sample_rate: int) -> None:
    """Writes a waveform in [-1, 1] as a 16-bit mono WAV file; `read_file` reads it, up to rounding.

    Raises:
      DataError: The waveform holds NaN or infinity.
    """
    import soundfile

    if not np.isfinite(waveform).all():
        raise DataError("the sound to write holds NaN or infinity; look at where it was made")
    samples = (np.clip(waveform, -1.0, 1.0) * 32767.0).round().astype(np.int16)
    soundfile.write(path, samples, sample_rate, subtype="PCM_16", format="WAV")


def resample(waveform: Float[np.ndarray, " n"], rate: int, wanted: int) -> Float[np.ndarray, " m"]:
    """Returns a sound of `rate` Hz at `wanted` Hz; what lies above half of the lower rate is filtered out.

    Source: the resampler and the quality that librosa chooses.
    """
    import soxr

    return soxr.resample(waveform, rate, wanted, quality="HQ")


def segments(
    waveform: Float[np.ndarray, " n"], mel: MelConfig, seconds: float | None = None
) -> Float[np.ndarray, "N samples"]:
    """Cuts a sound in segments of `seconds`, each as long as one spectrogram.

        a sound of 10 s in segments of 4.08 s       0 - 4.08, 4.08 - 8.16    (the last 1.84 s are too short)
        a sound of 6.6 s                            0 - 4.08, 4.08 - 6.6 and silence

    What is left over is a segment of its own if it is longer than half a segment and 0.1 s, else it is cut; a sound
    that is not empty has at least one. Segments shorter than a spectrogram lie in the middle of silence, of longer ones
    the middle is taken.

    Args:
      waveform: Sound at `mel.sample_rate` Hz.
      mel: How spectrograms are taken; `mel.samples` is the length of one.
      seconds: Length of a segment; None is that of a spectrogram.

    Raises:
      DataError: A segment would have no sample in it.

    Source: the released code; the last segment is the audio input, the ones before it the audio history.
    """
    # Rounded down, so that a sound cut in parts has that many; the thousandth forgives what is just below a number.
    length = mel.samples if seconds is None else int(seconds * mel.sample_rate + 1e-3)
    if length < 1:
        raise DataError(f"segments of {seconds} s hold no sample; make them longer")
    count, rest = divmod(len(waveform), length)
    count += rest - TAIL * mel.sample_rate > length / 2
    count = max(count, min(len(waveform), 1))
    cut = waveform[: count * length]
    cut = np.pad(cut, (0, count * length - len(cut))).reshape(count, length)
    missing = max(mel.samples - length, 0)
    start = max(length - mel.samples, 0) // 2
    padded = np.pad(cut, ((0, 0), (missing // 2, missing - missing // 2)))
    return padded[:, start : start + mel.samples]


def _mono(waveform: Shaped[np.ndarray, "n *channels"], rate: float) -> Float[np.ndarray, " n"]:
    """A waveform of any kind as one row of floats."""
    if waveform.ndim not in (1, 2) or not waveform.size:
        raise DataError(
            f"expected a waveform [samples] or [samples, channels] with samples in it, got shape {waveform.shape}"
        )
    if waveform.ndim == 2 and waveform.shape[1] > waveform.shape[0]:
        raise DataError(
            f"a waveform of {waveform.shape[0]} samples in {waveform.shape[1]} channels; transpose it to [samples, "
            "channels]"
        )
    check_length(waveform.shape[0], waveform[0].size, rate, "the waveform")
    kind, width = waveform.dtype.kind, waveform.dtype.itemsize
    if kind == "u" and width == 1:
        waveform = (waveform.astype(np.float32) - 128.0) / 128.0
    elif kind == "i" and width in (2, 4):
        waveform = waveform.astype(np.float32) / np.float32(2.0 ** (8 * width - 1))
    elif kind != "f":
        raise DataError(f"samples are {waveform.dtype}; give floats in [-1, 1], int16, int32 or uint8")
    if not np.isfinite(waveform).all():
        raise DataError("the waveform holds NaN or infinity; look at where it was made")
    if (peak := np.abs(waveform).max()) > LOUDEST:
        raise DataError(f"samples go up to {peak:g} but sound is in [-1, 1]; divide them (16 bits: by 32768)")
    waveform = waveform.astype(np.float32)
    return waveform.mean(axis=1) if waveform.ndim == 2 else waveform


def check_length(samples: int, channels: int, rate: float, name: str) -> None:
    """Raises a DataError that calls the sound `name` if there is more of it than we take; samples are a channel's."""
    if channels > MAX_CHANNELS:
        raise DataError(f"{name} has {channels} channels; the most is {MAX_CHANNELS}: mix them down")
    if samples > MAX_SECONDS * rate or samples * channels > MAX_SAMPLES:
        raise DataError(
            f"{name} holds {samples / rate:.0f} s in {channels} channels; the most is {MAX_SECONDS:.0f} s and "
            f"{MAX_SAMPLES} samples in all: cut it"
        )
