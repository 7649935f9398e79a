"""Inputs, outputs and truths of the digits as panels of a report."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from unified_io import mel
from unified_io.evaluation.report import Box, ImagePanel, SoundPanel, StrokesPanel, TextPanel
from unified_io.structures import text_to_boxes


def panel(modality: str, value: Any, config: mel.MelConfig) -> Any:
    """Shows one output as what it is."""
    if modality == "text":
        return TextPanel(value)
    if modality == "image":
        return ImagePanel(value)
    if modality == "action":
        return StrokesPanel(value)
    return SoundPanel(mel.griffin_lim(value, config), config.sample_rate)


def inputs(example: Mapping[str, Any], config: mel.MelConfig) -> tuple[Any, ...]:
    """Shows what the model was given: the prompt, and every medium that is there."""
    shown = [TextPanel(example["text_inputs"])]
    for modality in ("image", "audio", "action"):
        value = example.get(f"{modality}_inputs")
        if value is not None and np.size(value):
            shown.append(panel(modality, value, config))
    return tuple(shown)


def truth(name: str, example: Mapping[str, Any]) -> Any:
    """Shows what a composite should have given."""
    if name == "two_boxes":
        return ImagePanel(example["image_inputs"], boxes(example["text_targets"], True))
    if np.size(example.get("image_targets", ())):
        return ImagePanel(example["image_targets"])
    return TextPanel(example["text_targets"])


def boxes(text: str, true: bool = False) -> tuple[Box, ...]:
    """The boxes a text names; true ones are drawn dashed."""
    found = text_to_boxes(text)
    return tuple(Box(tuple(box), label, true) for box, label in zip(found.boxes, found.labels, strict=True))
