"""Pictures and sounds as data addresses, so that a page carries them inside."""

import base64
import io
import wave

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

_DECIBELS = 70.0  # range of a spectrogram's colours
# Dark to light at even steps of lightness, blue to yellow: safe for every kind of colour vision.
_LADDER = np.array([(0, 18, 50), (40, 60, 108), (107, 110, 120), (172, 160, 102), (255, 232, 70)], np.float64)


def png(pixels: Float[np.ndarray, "h w 3"] | Float[np.ndarray, "h w"]) -> str:
    """Returns a PNG as a data address; pixels are whole numbers in 0..255."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def wav(waveform: Float[np.ndarray, "n"], sample_rate: int) -> str:
    """Returns a WAV with one channel of 16 bit as a data address; the waveform is clipped to [-1, 1]."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(int(sample_rate))
        writer.writeframes((np.clip(waveform, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes())
    return f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"


def spectrogram(waveform: Float[np.ndarray, "n"], *, frames: int = 96) -> UInt8[np.ndarray, "64 f 3"]:
    """Returns a picture of a sound: time to the right, pitch upwards, lighter is louder (range 70 dB)."""
    size = 256
    padded = np.pad(np.asarray(waveform, np.float64), size // 2)
    starts = np.linspace(0, len(padded) - size, frames).astype(int)
    windows = padded[starts[:, None] + np.arange(size)] * np.hanning(size)
    power = np.square(np.abs(np.fft.rfft(windows, axis=1)))[:, 1:]
    power = power.reshape(frames, 64, 2).mean(axis=-1)
    decibels = 10.0 * np.log10(power / max(power.max(), 1e-12) + 1e-12)
    level = (1.0 + decibels.clip(-_DECIBELS, 0.0) / _DECIBELS) * (len(_LADDER) - 1)
    colours = [np.interp(level, np.arange(len(_LADDER)), _LADDER[:, channel]) for channel in range(3)]
    return np.stack(colours, axis=-1).transpose(1, 0, 2)[::-1].round().astype(np.uint8)
