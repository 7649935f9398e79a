"""Sound read from a file or an array into float32 mono at the rate the model wants."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError


def read(value: Any, sample_rate: int) -> Float[np.ndarray, " n"]:
    """Reads a sound: a path to a WAV file, a waveform at `sample_rate`, or a pair (waveform, its rate).

    Raises:
      DataError: The file is missing or no PCM WAV; the waveform is empty, not finite or not one- or two-dimensional.
    """
    if isinstance(value, str | Path):
        value = read_wav(Path(value))
    waveform, rate = value if isinstance(value, tuple) else (value, sample_rate)
    waveform = np.asarray(waveform, np.float32)
    if waveform.ndim == 2:
        waveform = waveform.mean(axis=1)
    if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
        raise DataError(
            f"expected a finite waveform [samples] or [samples, channels], got shape {waveform.shape}"
        )
    if rate == sample_rate:
        return waveform
    from scipy.signal import resample_poly

    divisor = int(np.gcd(int(rate), sample_rate))
    return resample_poly(waveform, sample_rate // divisor, int(rate) // divisor).astype(np.float32)


def read_wav(path: Path) -> tuple[Float[np.ndarray, "n channels"], int]:
    """Reads a PCM WAV file of 8, 16, 24 or 32 bits: samples in [-1, 1] and the sample rate in Hz."""
    if not path.is_file():
        raise DataError(f"no sound at {str(path)!r}; give a path to a WAV file")
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            raw = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise DataError(f"{str(path)!r} is no PCM WAV file ({error}); convert it to 16-bit WAV") from error
    raw = np.frombuffer(raw[: len(raw) - len(raw) % (width * channels)], np.uint8).reshape(-1, width)
    if width == 1:
        samples = raw[:, 0].astype(np.float32) / 128.0 - 1.0
    else:
        # left-align to 32 bits so that one signed view serves every width
        padded = np.zeros((len(raw), 4), np.uint8)
        padded[:, 4 - width :] = raw
        samples = padded.view("<i4")[:, 0].astype(np.float32) / 2.0**31
    return samples.reshape(-1, channels), rate


def write_wav(path: Path, waveform: Float[np.ndarray, " n"], sample_rate: int) -> None:
    """Writes a waveform in [-1, 1] as 16-bit mono; the inverse of `read_wav` up to rounding."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes((np.clip(waveform, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes())
