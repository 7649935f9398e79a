"""Bound tasks under names of their own in seqio's registry, with what T5X reads, writes down and measures of a task."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from unified_io.data import pipeline
from unified_io.data.values import as_read
from unified_io.evaluation import text
from unified_io.modalities.base import FIELDS, TargetModality
from unified_io.model import UnifiedIOConfig
from unified_io.preprocess.denoisers.objective import Objective

_FOR_JUDGES = ("meta/truth", "meta/options")  # nothing to read beside a prediction


def registered(
    name: str,
    config: UnifiedIOConfig,
    *,
    source: pipeline.Replacement | None = None,
    objective: Objective | None = None,
) -> str:
    """Binds a task or mixture to a configuration and registers the result; returns its name, `<name>.<digest>`.

    T5X asks for tasks by name, and so do the tasks of a mixture, which are registered likewise. The declared ones stay
    as they are. Asked again for the same, it returns the same name. To what a bound task gives, a copy adds its text
    once more as `<field>_pretokenized`, one string, which is what T5X writes beside a prediction; and for seqio's
    evaluator the metric `log_likelihood`, and `exact_match` of a task that does not say itself how it is judged.

    Args:
      name: A task or mixture; its module must have been imported.
      config: The model, whose modalities alone count here.
      source: What to read in place of the declared sources; see `pipeline.bind`.
      objective: What to ask of records to denoise; see `pipeline.bind`.

    Raises:
      ConfigError: As `pipeline.bind`.
    """
    read = repr((config.inputs, config.targets, source, objective))
    digest = hashlib.blake2b(read.encode(), digest_size=3).hexdigest()
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

    def _decode(self, ids: Sequence[int]) -> str:
        return self._target.detokenize(np.asarray(ids))

    def _decode_tf(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.numpy_function(self._decode_rows, [ids], tf.string)

    def _decode_rows(self, ids: np.ndarray) -> np.ndarray:
        if ids.ndim == 1:
            return np.array(self._decode(ids).encode(), object)
        return np.array([self._decode(row).encode() for row in ids], object)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spelling) and self._target == other._target


def exact_match(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, float]:
    """Returns how many percent of the examples that ask for text are answered with it; nothing where none asks.

    Args:
      targets: For every example what it may be answered with; none where it does not ask for text.
      predictions: What was said; what is no text, since another target was written, is not compared.
    """
    pairs = zip(targets, predictions, strict=True)
    hits = [text.exact_match(said, right) for right, said in pairs if right and isinstance(said, str)]
    return {"exact_match": 100 * float(np.mean(hits))} if hits else {}


def log_likelihood(targets: Sequence[Sequence[str]], scores: Sequence[float]) -> dict[str, float]:
    """Returns the mean log-probability of an example's targets, whatever they are made of, in nats."""
    return {"log_likelihood": float(np.mean(scores))}


def _register(task: seqio.Task, digest: str, targets: Sequence[TargetModality]) -> None:
    name = f"{task.name}.{digest}"
    if name in seqio.TaskRegistry.names():
        return
    features: dict[str, Any] = dict(task.output_features)
    texts = {field: target for target in targets if FIELDS[field := target.fields[0]].dtype == "string"}
    for field, target in texts.items():
        declared = features[field]
        features[field] = seqio.Feature(
            Spelling(target), add_eos=False, dtype=declared.dtype, rank=declared.rank
        )
    copy = task.replace(
        name=name,
        output_features=features,
        preprocessors=[*task.preprocessors, _readable],
        **_judging(task, tuple(texts)),
    )
    seqio.TaskRegistry.add_provider(name, copy)


def _judging(task: seqio.Task, texts: Sequence[str]) -> dict[str, Any]:
    """How a copy is judged: as the task says itself where it does, else by whether its text is matched."""
    if task.postprocessor is None:
        own = [*task.metric_fns, exact_match, log_likelihood]
        return {"postprocess_fn": functools.partial(_answers, fields=texts), "metric_fns": own}
    judged = functools.partial(_judged, judge=task.postprocessor)
    return {"postprocess_fn": judged, "metric_fns": [*task.metric_fns, log_likelihood]}


def _readable(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Adds every field of text as one string; of several answers each has a line."""
    texts = [
        key
        for key, spec in dataset.element_spec.items()
        if spec.dtype == tf.string and key not in _FOR_JUDGES
    ]

    def read(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        lines = {f"{key}_pretokenized": tf.strings.reduce_join(example[key], separator="\n") for key in texts}
        return example | lines

    return dataset.map(read)


def _answers(said: str, *, example: dict[str, Any], is_target: bool, fields: Sequence[str]) -> Any:
    """What a prediction is compared with: all that may be answered. A prediction stays as it is."""
    return [answer.decode() for key in fields for answer in example[key]] if is_target else said


def _judged(said: Any, *, example: dict[str, Any], is_target: bool, judge: Callable[..., Any]) -> Any:
    """What a task's own postprocessing makes of a prediction or an example, which it gets as people read it."""
    read = {key: as_read(key, value) for key, value in example.items()}
    return judge(said, example=read, is_target=is_target)
