"""Bound tasks under names of their own in seqio's registry, where T5X looks for them."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from unified_io.data import pipeline
from unified_io.modalities.base import FIELDS, TargetModality
from unified_io.model import UnifiedIOConfig
from unified_io.preprocess.denoisers.objective import Objective


def registered(
    name: str,
    config: UnifiedIOConfig,
    *,
    source: pipeline.Replacement | None = None,
    objective: Objective | None = None,
) -> str:
    """Binds a task or mixture to a configuration and registers the result; returns its name, `<name>.<digest>`.

    T5X asks for tasks by name, and so do the tasks of a mixture, which are registered likewise. The declared ones stay
    as they are. Asked again for the same, it returns the same name.

    Args:
      name: A task or mixture; its module must have been imported.
      config: The model.
      source: What to read in place of the declared sources; see `pipeline.bind`.
      objective: What to ask of records to denoise; see `pipeline.bind`.

    Raises:
      ConfigError: As `pipeline.bind`.
    """
    digest = hashlib.blake2b(repr((config, source, objective)).encode(), digest_size=3).hexdigest()
    new = f"{name}.{digest}"
    if new in {*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()}:
        return new
    bound = pipeline.bind(name, config.inputs, config.targets, source=source, objective=objective)
    if isinstance(bound, seqio.Task):
        _register(bound, digest, config.targets)
        return new
    for task in bound.tasks:
        _register(task, digest, config.targets)
    rates = [(f"{task.name}.{digest}", bound.get_rate(task)) for task in bound.tasks]
    seqio.MixtureRegistry.add(new, rates)
    return new


class Spelling(seqio.PassThroughVocabulary):
    """Turns the tokens that were predicted for a target into text; for whoever writes predictions to a file."""

    def __init__(self, target: TargetModality):
        """Takes the target whose `detokenize` makes the text."""
        super().__init__(size=1)
        self._target = target

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.numpy_function(self._decode_rows, [ids], tf.string)

    def _decode_rows(self, ids: np.ndarray) -> np.ndarray:
        if ids.ndim == 1:
            return np.array(self._target.detokenize(ids).encode(), object)
        return np.array([self._target.detokenize(row).encode() for row in ids], object)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spelling) and self._target == other._target


def _register(task: seqio.Task, digest: str, targets: Sequence[TargetModality]) -> None:
    name = f"{task.name}.{digest}"
    if name in seqio.TaskRegistry.names():
        return
    features: dict[str, Any] = dict(task.output_features)
    for target in targets:
        field = target.fields[0]
        if FIELDS[field].dtype == "string":
            features[field] = seqio.Feature(
                Spelling(target), add_eos=False, dtype=features[field].dtype, rank=features[field].rank
            )
    seqio.TaskRegistry.add_provider(name, task.replace(name=name, output_features=features))
