"""What a model made, as a client gets it: text, data URIs of PNG and WAV, lists of numbers. Kinds differ by axes."""

import base64
import io
from typing import Any

import numpy as np

from unified_io.preprocess import sound


def as_json(value: Any, target: Any) -> Any:
    """Returns an output as JSON has it: a text as it is, pixels and waveforms as data URIs, points as lists.

    Args:
      value: As `generate` returns it.
      target: The modality that was written.
    """
    if isinstance(value, str):
        return value
    kind, data = {3: ("image/png", png), 1: ("audio/wav", wav)}.get(np.ndim(value), (None, None))
    return (
        np.asarray(value).tolist() if kind is None else f"data:{kind};base64,{encoded(data(value, target))}"
    )


def png(pixels: np.ndarray, target: Any = None) -> bytes:
    """Returns pixels [h, w, 3] in [0, 1] as a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray((np.clip(pixels, 0.0, 1.0) * 255).round().astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def wav(waveform: np.ndarray, target: Any) -> bytes:
    """Returns a waveform in [-1, 1] as a WAV file of 16 bits."""
    file = io.BytesIO()
    sound.write_wav(file, waveform, target.mel.sample_rate)
    return file.getvalue()


def encoded(data: bytes) -> str:
    """Returns bytes in base64."""
    return base64.b64encode(data).decode("ascii")
