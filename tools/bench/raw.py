"""Raw media as they lie on disk or on the wire: JPEG bytes, waveforms and sentences, made up and seeded."""

import io
from typing import Any

import numpy as np
from PIL import Image

from bench.mixtures import Drawn
from unified_io.mel import MelConfig
from unified_io.vocab import Vocabulary

_WORDS = "the picture shows a small red box on a wooden table beside two open books and a cup of black coffee"


def jpeg(rng: np.random.Generator, height: int, width: int) -> bytes:
    """A picture of smooth colours with a little noise, which takes about as many bytes as a photograph."""
    coarse = rng.integers(0, 256, (height // 32, width // 32, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.float32)
    noisy = smooth + rng.normal(0.0, 6.0, smooth.shape)
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def waveform(rng: np.random.Generator, samples: int, sample_rate: int) -> np.ndarray:
    """A chord with noise, in [-1, 1]."""
    seconds = np.arange(samples) / sample_rate
    chord = sum(np.sin(2 * np.pi * pitch * seconds) for pitch in rng.uniform(100.0, 2000.0, 4))
    return (0.2 * chord + 0.05 * rng.standard_normal(samples)).astype(np.float32)


def sentence(rng: np.random.Generator, vocabulary: Vocabulary, tokens: int) -> str:
    """Words that make about as many tokens."""
    ids = vocabulary.encode(" ".join(rng.choice(_WORDS.split(), tokens)))
    return vocabulary.decode(ids[:tokens])


def raw(rng: np.random.Generator, drawn: Drawn, vocabulary: Vocabulary, mel: MelConfig) -> dict[str, Any]:
    """The fields of an example with every picture as JPEG bytes and every sound as a waveform."""
    kind = drawn.kind

    def picture() -> bytes:
        return jpeg(rng, *drawn.picture)

    def sound() -> np.ndarray:
        return waveform(rng, mel.samples, mel.sample_rate)

    example: dict[str, Any] = {"text_inputs": sentence(rng, vocabulary, drawn.prompt)}
    if kind.image:
        example["image_inputs"] = picture()
    if kind.frames:
        example["image_history_inputs"] = [picture() for _ in range(kind.frames)]
    if kind.audio:
        example["audio_inputs"] = sound()
    if kind.segments:
        example["audio_history_inputs"] = [sound() for _ in range(kind.segments)]
    if kind.target == "text":
        return example | {"text_targets": sentence(rng, vocabulary, drawn.answer)}
    return example | {f"{kind.target}_targets": picture() if kind.target == "image" else sound()}
