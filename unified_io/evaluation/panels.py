"""Examples as panels of a report: what the model is given, and what it should give or gave."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from unified_io import mel
from unified_io.errors import DataError
from unified_io.evaluation.kind import Kind, is_blank, kind_of
from unified_io.evaluation.report import (
    Box,
    CloudPanel,
    ImagePanel,
    MotionPanel,
    SoundPanel,
    StrokesPanel,
    TextPanel,
)
from unified_io.modalities.base import FIELDS
from unified_io.preprocess.image_ops import resize_nearest
from unified_io.preprocess.imu_ops import RATE
from unified_io.structures import text_to_boxes

_HIDDEN = np.array([0.85, 0.35, 0.0], np.float32)  # what the encoder may not see is covered in this colour
_LARGEST = 384  # pixels of a side; larger pictures would make a heavy page

Panels = tuple[Any, ...]


def inputs(example: Mapping[str, Any], sounds: mel.MelConfig, boxes: tuple[Box, ...] = ()) -> Panels:
    """Shows all that goes in: the prompt, and every medium that is there; hidden pixels are covered.

    Args:
      example: Fields of a bound example.
      sounds: How its spectrograms were taken.
      boxes: Drawn over the picture.
    """
    return tuple(panel for key in _given(example, "_inputs") for panel in _shown(key, example, sounds, boxes))


def targets(example: Mapping[str, Any], sounds: mel.MelConfig) -> Panels:
    """Shows all that is to come out."""
    return tuple(panel for key in _given(example, "_targets") for panel in _shown(key, example, sounds))


def answer(key: str, value: Any, sounds: mel.MelConfig) -> Panels:
    """Shows one answer.

    Args:
      key: The target field that it is an answer for.
      value: The raw field.
      sounds: How spectrograms are taken.
    """
    if is_blank(value):
        return (TextPanel(""),)
    return tuple(_shown(key, {key: value}, sounds))


def boxes(text: Any, truth: bool = False) -> tuple[Box, ...]:
    """Returns the boxes that a text writes with location words; true ones are drawn dashed."""
    if not isinstance(text, str):
        return ()
    found = text_to_boxes(text)
    ordered = [
        (box, label)
        for box, label in zip(found.boxes, found.labels, strict=True)
        if (box[2:] >= box[:2]).all()
    ]
    return tuple(Box(tuple(map(float, box)), label, truth) for box, label in ordered)


def _given(example: Mapping[str, Any], ending: str) -> Iterator[str]:
    yield from (key for key in FIELDS if key.endswith(ending) and not is_blank(example.get(key)))


def _shown(
    key: str, example: Mapping[str, Any], sounds: mel.MelConfig, over: tuple[Box, ...] = ()
) -> Iterator[Any]:
    value, kind = example[key], kind_of(key)
    label = key.rpartition("_")[0].replace("_", " ")
    if kind is Kind.TEXT:
        for text in [value] if isinstance(value, str) else value:
            yield TextPanel(text, label)
    elif kind is Kind.PICTURE:
        yield ImagePanel(_covered(value, example.get(f"{key[:-1]}_masks")), over, label)
    elif kind is Kind.PICTURES:
        for number, frame in enumerate(value, start=1):
            yield ImagePanel(_small(frame), (), f"{label} {number}")
    elif kind is Kind.SOUND:
        yield _sound(value, sounds, label)
    elif kind is Kind.SOUNDS:
        for number, segment in enumerate(value, start=1):
            yield _sound(segment, sounds, f"{label} {number}")
    elif kind is Kind.POINTS:
        yield StrokesPanel(value, label)
    elif kind is Kind.CLOUD:
        yield CloudPanel(value, label)
    elif kind is Kind.MOTION:
        yield MotionPanel(value, RATE, label)
    else:
        raise DataError(f"field {key!r} is a {kind.name.lower()}, which is shown with what it belongs to")


def _sound(bands: Float[np.ndarray, "frames bands"], sounds: mel.MelConfig, label: str) -> Any:
    """A spectrogram as sound; filter banks of other models can not be turned back, and are a picture."""
    if bands.shape[1] == sounds.mels:
        return SoundPanel(mel.griffin_lim(bands, sounds), sounds.sample_rate, label)
    level = (bands - bands.min()) / max(float(np.ptp(bands)), 1e-12)
    return ImagePanel(level.T[::-1], (), label)


def _covered(pixels: Float[np.ndarray, "h w 3"], seen: Bool[np.ndarray, "h w"] | None) -> np.ndarray:
    pixels = np.clip(np.asarray(pixels, np.float32), 0.0, 1.0)
    if seen is not None and seen.shape == pixels.shape[:2] and not seen.all():
        pixels = np.where(seen[..., None], pixels, 0.4 * pixels + 0.6 * _HIDDEN)
    return _small(pixels)


def _small(pixels: Float[np.ndarray, "h w 3"]) -> np.ndarray:
    share = _LARGEST / max(pixels.shape[:2])
    if share >= 1:
        return pixels
    return resize_nearest(pixels, tuple(max(1, round(side * share)) for side in pixels.shape[:2]))
