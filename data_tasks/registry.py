"""Every task that reads a stored or made-up dataset: one registration each, and the table of them."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import seqio

from data_tasks.formats.base import ABOUT, Format, preprocessor, unpacked
from data_tasks.sources.stored import Make, Mapped, Record, Stored
from unified_io.data.denoised import Denoised
from unified_io.data.pipeline import output_features
from unified_io.errors import ConfigError
from unified_io.evaluation.judge import Judged

_BUFFER = 256  # examples of a source that reads by the file or the block; others are drawn by number
# seqio wants the tasks of a mixture to declare the same; they get all fields of a configuration when they are bound.
GIVEN_BY_ALL = ("text_inputs", *ABOUT)


@dataclasses.dataclass(frozen=True)
class Registration:
    """A task, and what a reader of the table wants to know of it.

    Attributes:
      name: The task.
      group: Row of Table 10 or 11 of the paper, "toy", or a user's own.
      dataset: What people call the dataset.
      source: Where raw examples come from.
      form: How one becomes fields; a `Denoised` for pre-training.
      obtain: Where to get the data, or why it can not be had.
      available: Whether it can be had today.
      size: Examples, for rates by the square root of it.
      weight: A factor on that rate.
      sample: Made-up records in the dataset's own layout, for tests and for looking at; written by `stored.write`.
      media: Files below the dataset's folder that they name; `made_up` makes them.
    """

    name: str
    group: str
    dataset: str
    source: seqio.DataSource
    form: Format | Denoised
    obtain: str = ""
    available: bool = True
    size: int = 1
    weight: float = 1.0
    sample: Sequence[Record] | None = None
    media: Sequence[str] = ()


REGISTRY: dict[str, Registration] = {}


def register(
    name: str,
    *,
    group: str,
    dataset: str,
    stored: Stored,
    fields: Mapping[str, str | Make],
    form: Format | Denoised,
    splits: Mapping[str, str] | None = None,
    keep: Callable[[Record], bool] | None = None,
    each: Callable[[Record], Iterable[Record]] | None = None,
    reworded: Collection[str] | None = None,
    **about: Any,
) -> Registration:
    """Registers a task over a stored dataset.

    Args:
      name: The task.
      group: As in `Registration`.
      dataset: Likewise.
      stored: How the data lie on disk.
      fields: Raw field -> path in a record, or what makes it.
      form: A format, or records for pre-training.
      splits: Ours -> the dataset's; None are "train" and "validation" under these names.
      keep: Which records to use.
      each: Makes several records of one.
      reworded: Splits that are asked for in held-out wordings; None is all but "train".
      about: `obtain`, `available`, `size`, `weight`, `sample`, `media`, as in `Registration`.

    Raises:
      ConfigError: The format reads a field that is not mapped.
    """
    own = splits or {"train": "train", "validation": "validation"}
    source = Mapped(stored, fields, own, keep, each, reworded=reworded)
    if isinstance(form, Format) and (
        missing := sorted({*form.reads} - {*fields, "id", "training", "reworded"})
    ):
        raise ConfigError(
            f"task {name!r} does not map {', '.join(missing)}, which {type(form).__name__} reads"
        )
    return add(Registration(name, group, dataset, source, form, **about))


def add(registration: Registration) -> Registration:
    """Puts a registration in the table and its task in seqio's registry."""
    form = registration.form
    denoised = isinstance(form, Denoised)
    seqio.TaskRegistry.add(
        registration.name,
        source=registration.source,
        preprocessors=[unpacked(form) if denoised else preprocessor(form, registration.name)],
        output_features=output_features(GIVEN_BY_ALL),
        shuffle_buffer_size=None if registration.source.performs_internal_shuffling else _BUFFER,
        postprocess_fn=None if denoised else Judged(form),
        metric_fns=[] if denoised else [seqio_metric(form)],
    )
    REGISTRY[registration.name] = registration
    return registration


def seqio_metric(form: Format) -> Callable[[Sequence[Any], Sequence[Any]], dict[str, float]]:
    """Makes one of seqio's `metric_fns` of the metrics of a format."""

    def metrics(targets: Sequence[Any], predictions: Sequence[Any]) -> dict[str, float]:
        return {metric.name: metric.total(predictions, targets) for metric in form.metrics}

    return metrics
