"""Tasks bound to a configuration: every field its modalities read, nothing else. The registry stays as it is.

A task is declared once, blind to any configuration; two bindings of it live side by side. A task of pre-training
declares records instead of a format, and is bound to the objective of a run as well.
"""

import dataclasses
import functools
import hashlib
import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import seqio
import tensorflow as tf

from unified_io.data.denoised import Asked, Denoised
from unified_io.data.shares import shares
from unified_io.data.values import META, as_read, blank, field_of, own_frames, shape_of, to_python, to_tensor
from unified_io.errors import ConfigError, DataError, unknown
from unified_io.modalities.base import FIELDS, Field, Modality, TargetModality
from unified_io.preprocess.denoisers.objective import Objective

log = logging.getLogger(__name__)


def _leave_gpus_alone() -> None:
    """Hides them from TensorFlow, which only reads data here and would take all the memory that JAX trains in."""
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError:  # TensorFlow was at work before we came
        log.warning("TensorFlow has begun with this process's GPUs in its view; import unified_io.data first")


_leave_gpus_alone()

Format = Callable[[dict[str, Any], np.random.Generator], dict[str, Any]]
Bound = seqio.Task | seqio.Mixture

# seqio draws the seeds of preprocessors from a variable of its module: one dataset is built at a time.
_BUILDING = threading.Lock()


class Replacement(Protocol):
    """What to read instead of the source a task declares: other sizes, another folder."""

    def in_place_of(self, declared: seqio.DataSource) -> seqio.DataSource:
        """Returns the source to read."""
        ...


def fold(seed: int, *values: int | str) -> int:
    """Derives a seed in [0, 2^31) from a seed and names; the same on every machine."""
    digest = hashlib.blake2b(repr((seed, *values)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little") >> 1


def numpy_map(
    function: Format, writes: Sequence[str], name: str, *, files: Sequence[str] = ()
) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    """Makes a seqio preprocessor of a plain function on one example.

    Args:
      function: Takes the raw fields (text as str) and a seeded generator; returns some of `writes`.
      writes: The fields it may return (keys of FIELDS or META); one that it leaves out is blank.
      name: What to call it in an error.
      files: Raw fields that hold the content of a file (a picture, a sound) and stay bytes; all other strings are text.
    """
    fields = {key: field_of(key) for key in writes}

    def apply(keys: tuple[str, ...], seed: np.ndarray, *values: Any) -> list[np.ndarray]:
        given = dict(zip(keys, values, strict=True))
        try:
            raw = {
                key: value if key in files else own_frames(key, to_python(key, value))
                for key, value in given.items()
            }
            made = function(raw, np.random.default_rng(seed.astype(np.uint32)))
            return [to_tensor(key, made.get(key), field) for key, field in fields.items()]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise DataError(f"{name} failed on example {_called(given.get('id', ''))}: {error!r}") from error

    @seqio.map_over_dataset(num_seeds=1)
    def mapped(example: dict[str, tf.Tensor], seed: tf.Tensor) -> dict[str, tf.Tensor]:
        keys = tuple(example)
        dtypes = [field.dtype for field in fields.values()]
        values = tf.numpy_function(functools.partial(apply, keys), [seed, *example.values()], dtypes)
        return {
            key: tf.ensure_shape(value, shape_of(field))
            for (key, field), value in zip(fields.items(), values, strict=True)
        }

    return mapped


def output_features(fields: Sequence[str]) -> dict[str, seqio.Feature]:
    """Declares fields (keys of FIELDS or META) as a task's output features."""
    return {key: _feature(field_of(key)) for key in fields}


def _called(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def bind(
    name: str,
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
    *,
    source: Replacement | None = None,
    objective: Objective | None = None,
) -> Bound:
    """Returns a copy of a registered task or mixture that gives exactly what the modalities read.

    Absent fields are blank, others are left out, and all tasks of a mixture get the same specs. A task bound alone
    keeps all its `meta/*` fields; in a mixture META is what they have in common.

    Args:
      name: A task or mixture; its module must have been imported.
      inputs: Input modalities of the configuration.
      targets: Target modalities.
      source: What to read in place of the declared sources. If it can say what it `has`, a mixture goes without the
        tasks whose data it has not, see `shares`, and the log names them.
      objective: What to ask of the tasks that declare records to denoise; the others do not look at it.

    Raises:
      ConfigError: Nobody registered the name, a task writes nothing that the configuration can write, or it declares
        records and there is no objective, or one that asks for what the configuration does not have.
    """
    if name in seqio.TaskRegistry.names():
        return _bind_task(seqio.TaskRegistry.get(name), inputs, targets, source, objective, keep_meta=True)
    if name not in seqio.MixtureRegistry.names():
        raise unknown("task or mixture", name, [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()])
    mixture = seqio.MixtureRegistry.get(name)
    if hasattr(source, "has"):
        rates = shares(mixture, lambda task: source.has(task.source))
        if absent := [task.name for task in mixture.tasks if task.name not in rates]:
            log.warning("%s goes without %s, whose data are not here", name, ", ".join(absent))
    else:
        rates = {task.name: mixture.get_rate(task) for task in mixture.tasks}
    tasks = [
        (_bind_task(task, inputs, targets, source, objective, keep_meta=False), rates[task.name])
        for task in mixture.tasks
        if task.name in rates
    ]
    return seqio.Mixture(name, tasks)


def _bind_task(
    task: seqio.Task,
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
    source: Replacement | None,
    objective: Objective | None,
    keep_meta: bool,
) -> seqio.Task:
    def bound(step: Any) -> Any:
        return _Ask(step.under(objective, inputs, targets)) if isinstance(step, Denoised) else step

    fields = {key: FIELDS[key] for m in [*inputs, *targets] for key in m.fields} | META
    answers = {key for m in targets for key in m.fields}
    finish = functools.partial(_complete, task=task.name, fields=fields, answers=answers, keep_meta=keep_meta)
    return task.replace(
        source=source.in_place_of(task.source) if source else task.source,
        preprocessors=[*map(bound, task.preprocessors), finish],
        output_features=output_features(tuple(fields)),
    )


@dataclasses.dataclass(frozen=True)
class _Ask:
    """The preprocessor that stands where a bound task declared a `Denoised`."""

    asked: Asked

    def __call__(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        task = self.asked.task
        return numpy_map(self.asked, self.asked.writes, task.name, files=task.files)(dataset)


def objective_of(task: seqio.Task) -> Objective | None:
    """Returns what a bound task is asked for, narrowed to what it allows; None of a task that says so itself."""
    return next((step.asked.objective for step in task.preprocessors if isinstance(step, _Ask)), None)


def _feature(field: Field) -> seqio.Feature:
    dtype, rank = tf.as_dtype(field.dtype), len(shape_of(field))
    return seqio.Feature(seqio.PassThroughVocabulary(size=1), add_eos=False, dtype=dtype, rank=rank)


def _complete(
    dataset: tf.data.Dataset, task: str, fields: Mapping[str, Field], answers: set[str], keep_meta: bool
) -> tf.data.Dataset:
    """Gives every field of the configuration and drops the others."""
    given = dataset.element_spec
    if not given.keys() & answers:
        wrote = sorted(key for key in given if "_target" in key)
        raise ConfigError(
            f"task {task!r} writes {wrote}, the configuration writes {sorted(answers)}; "
            "leave the task out, or give the model that target modality"
        )
    if unread := sorted(key for key in given if key in FIELDS and key not in fields):
        log.warning("task %r gives %s, which this configuration does not read", task, ", ".join(unread))
    for key in given.keys() & fields.keys():
        _check_spec(task, key, given[key], fields[key])

    def complete(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        whole = {key: value for key, value in example.items() if keep_meta and key.startswith("meta/")}
        for key, field in fields.items():
            value = tf.constant(task) if key == "meta/task" else example.get(key)
            value = tf.constant(blank(field), field.dtype) if value is None else value
            whole[key] = (
                tf.reshape(value, [-1]) if field.dtype == "string" else tf.ensure_shape(value, field.shape)
            )
        return whole

    return dataset.map(complete)


def _check_spec(task: str, key: str, spec: tf.TensorSpec, field: Field) -> None:
    shapes = (tf.TensorShape(field.shape), tf.TensorShape(shape_of(field)))
    if spec.dtype != field.dtype or not any(shape.is_compatible_with(spec.shape) for shape in shapes):
        raise ConfigError(
            f"task {task!r} gives {key} as {spec.dtype.name} {spec.shape}, wanted {field.dtype} "
            f"{list(field.shape)}: {field.meaning}"
        )


def examples(
    bound: Bound,
    split: str,
    *,
    seed: int = 0,
    shuffle: bool = False,
    repeat: bool = False,
    shard: seqio.ShardInfo | None = None,
) -> Iterator[dict[str, Any]]:
    """Reads a bound task or mixture: dictionaries of NumPy arrays and strings, the same for the same arguments.

    A string field holds "" when absent, and a list when there are several answers.

    Args:
      bound: From `bind`.
      split: A split of its source.
      seed: Seeds the order and whatever the task draws.
      shuffle: Whether to shuffle; also whether a source that draws its examples draws them anew.
      repeat: Whether to start again at the end.
      shard: Read only this part of the data.

    Raises:
      ConfigError: There is no such split.
      DataError: An example can not be read; ask for the next one to go on without it.
    """
    if split not in bound.splits:
        raise unknown("split", split, bound.splits)
    with _BUILDING:
        dataset = bound.get_dataset(
            sequence_length=None,
            split=split,
            shuffle=shuffle,
            seed=seed,
            shard_info=shard,
            num_epochs=None if repeat else 1,
            trim_output_features=False,
            try_in_mem_cache=False,
        )
    options = tf.data.Options()
    # One example costs less than handing it from thread to thread.
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 1
    return _Reader(dataset.with_options(options).as_numpy_iterator())


class _Reader:
    """Reads examples one by one; unlike a generator it can go on behind an error."""

    def __init__(self, rows: Iterator[dict[str, Any]]):
        self._rows = [rows]
        # A thread of TensorFlow may be in Python: an iterator that is destroyed while the interpreter ends waits for
        # that thread for ever. So it goes when the first exit handlers run.
        weakref.finalize(self, self._rows.clear)

    def __iter__(self) -> "_Reader":
        return self

    def __next__(self) -> dict[str, Any]:
        try:
            row = next(self._rows[0])
        except tf.errors.OpError as error:
            said = str(error)
        else:
            return {key: as_read(key, value) for key, value in row.items()}
        # Raised out here: the frames of TensorFlow's own error would keep the iterator alive to the interpreter's end.
        raise DataError(_reason(said)) from RuntimeError(said)


def _reason(message: str) -> str:
    """Finds what we said ourselves in TensorFlow's report of an error in Python code."""
    lines = [line.strip() for line in message.splitlines()]
    ours = [line.split("DataError: ", 1)[1] for line in lines if "DataError: " in line]
    return ours[-1] if ours else lines[0]
