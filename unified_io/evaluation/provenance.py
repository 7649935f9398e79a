"""Where scores come from: what was asked of which examples is seen as they pass, and becomes their fingerprints."""

import dataclasses
import json
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from unified_io.evaluation import environment
from unified_io.evaluation.fingerprint import Fingerprint, digest
from unified_io.evaluation.judge import Judge

_OURS = "unified-io"


class Provenance:
    """Watches the examples of one task.

    Args:
      task: Name of the task and its split.
      judge: Its judge.
      decoding: How answers are written.
      config: The model's configuration, of which only how inputs are prepared counts.
    """

    def __init__(self, task: str, judge: Judge, decoding: Mapping[str, Any], config: Any):
        self._task, self._judge, self._decoding, self._config = task, judge, decoding, config
        self._prompts: list[str] = []
        self._examples: list[str] = []
        self._choices = 0

    def see(self, example: Mapping[str, Any]) -> None:
        """Takes note of one example."""
        prompt = example.get("text_inputs", "")
        self._prompts.append(prompt if isinstance(prompt, str) else "\n".join(prompt))
        self._choices += bool(self._judge.options(example))
        self._examples.append(
            json.dumps({key: _gist(value) for key, value in example.items() if key != "text_inputs"})
        )

    def fingerprints(self) -> dict[str, Fingerprint]:
        """Returns the fingerprint of every metric, by its name."""
        version = environment.versions((_OURS,)).get(_OURS, "not installed")
        decoding = {**self._decoding, "chosen_by_likelihood": self._choices}
        read = {m.name: _numbers(m) for m in self._config.inputs}
        shared = digest(self._prompts), decoding, read, digest(self._examples), version
        return {metric.name: Fingerprint(self._task, metric.name, *shared) for metric in self._judge.metrics}


def _gist(value: Any) -> Any:
    """Words and whole numbers as they are; of fractions, which another machine may round otherwise, a little."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_gist(one) for one in value]
    array = np.asarray(value)
    if array.dtype.kind != "f":
        return [list(array.shape), digest([array.tobytes()])]
    return [list(array.shape), round(float(array.mean()), 2) if array.size else 0.0]


def _numbers(modality: Any) -> dict[str, float]:
    """The sizes and lengths of a modality; how large its encoder is belongs to the model, not to what it is given."""
    found = {field.name: getattr(modality, field.name) for field in dataclasses.fields(modality)}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, numbers.Real) and not isinstance(value, bool)
    }
