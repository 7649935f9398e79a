"""Drawn examples as raw fields and as features. All pictures of one shape are the same: only lengths count here."""

from typing import Any

import numpy as np

from bench.mixtures import PICTURES, Drawn
from unified_io.data.batch import ExampleFeatures
from unified_io.modalities.base import Features, Modality
from unified_io.model import UnifiedIOConfig


class Examples:
    """Turns drawn examples into features by the `preprocess` of every modality, each picture and sound once."""

    def __init__(self, config: UnifiedIOConfig, seed: int):
        rng = np.random.default_rng(seed)
        self._config, self._seed = config, seed
        self._pictures = {shape: rng.random((*shape, 3), np.float32) for shape in PICTURES}
        self._log_mel = rng.normal(-5.0, 2.0, (256, 128)).astype(np.float32)
        self._media: dict[Any, Features] = {}

    def fields(self, drawn: Drawn) -> dict[str, Any]:
        """The raw fields of an example; a text is its length in figures, see `model.Numbers`."""
        kind, picture, log_mel = drawn.kind, self._pictures[drawn.picture], self._log_mel
        fields: dict[str, Any] = {"text_inputs": str(drawn.prompt)}
        if kind.image:
            fields["image_inputs"] = picture
        if kind.frames:
            fields["image_history_inputs"] = [picture] * kind.frames
        if kind.audio:
            fields["audio_inputs"] = log_mel
        if kind.segments:
            fields["audio_history_inputs"] = [log_mel] * kind.segments
        targets = {"text": str(drawn.answer), "image": picture, "audio": log_mel}
        return fields | {f"{kind.target}_targets": targets[kind.target]}

    def features(self, drawn: Drawn) -> ExampleFeatures:
        """Features of an example: {"inputs": {modality: ...}, "targets": {modality: ...}}."""
        fields = self.fields(drawn)
        sides = {"inputs": self._config.inputs, "targets": self._config.targets}
        return {
            side: {m.name: self._preprocess(side, m, fields, drawn) for m in modalities}
            for side, modalities in sides.items()
        }

    def _preprocess(self, side: str, modality: Modality, fields: dict[str, Any], drawn: Drawn) -> Features:
        if modality.slot_size == 1:  # an item is a token: texts differ
            return modality.preprocess(fields, seed=self._seed, training=False)
        key = (side, modality.name, drawn.kind, drawn.picture)
        if key not in self._media:
            self._media[key] = modality.preprocess(fields, seed=self._seed, training=False)
        return self._media[key]
