"""T5X's TASK_FEATURE_LENGTHS on our configurations: how long a text, how many patches, how many frames."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from unified_io.errors import unknown
from unified_io.modalities.base import Modality
from unified_io.model import UnifiedIOConfig

TRAINING = "is_training"
FRAMES = "num_frames"


def limited(config: UnifiedIOConfig, lengths: Mapping[str, Any] | None) -> UnifiedIOConfig:
    """Returns the configuration with the lengths of a task; its parameters stay the same.

    limited(config, {"text_inputs": 128, "text_targets": 32, "image_input_samples": 0.5})

    Args:
      config: The model.
      lengths: `<input>_inputs` and `<target>_targets` are tokens of what is written with text; `<input>_input_samples`
        patches of a picture, a number or as a float the part of them; `num_frames` frames of a history. None changes
        nothing; `is_training` is for the converter.

    Raises:
      ConfigError: Another key, with the nearest one.
    """
    given = {key: value for key, value in (lengths or {}).items() if key != TRAINING}
    changes: dict[str, list[tuple[str, str, str]]] = {}
    for side, modalities in (("inputs", config.inputs), ("targets", config.targets)):
        for modality in modalities:
            for key, path in _keys(modality, side):
                changes.setdefault(key, []).append((side, modality.name, path))
    for key, value in given.items():
        if key not in changes:
            raise unknown("task feature length", key, [*changes, TRAINING])
        for side, name, path in changes[key] if value is not None else []:
            config = dataclasses.replace(
                config,
                **{
                    side: tuple(
                        _replaced(m, path, value) if m.name == name else m for m in getattr(config, side)
                    )
                },
            )
    return config


def _keys(modality: Modality, side: str) -> list[tuple[str, str]]:
    """The keys that mean something to a modality, and the field each of them sets."""
    keys = [(f"{modality.name}_{side}", "max_length"), (FRAMES, "max_frames")]
    if side == "inputs":
        keys += [(f"{modality.name}_input_samples", path) for path in ("samples", "media.samples")]
    return [(key, path) for key, path in keys if _has(modality, path)]


def _has(modality: Any, path: str) -> bool:
    first, _, rest = path.partition(".")
    return hasattr(modality, first) and (not rest or _has(getattr(modality, first), rest))


def _replaced(modality: Any, path: str, value: Any) -> Any:
    first, _, rest = path.partition(".")
    return dataclasses.replace(
        modality, **{first: _replaced(getattr(modality, first), rest, value) if rest else value}
    )
