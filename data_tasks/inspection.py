"""A page of a task's examples: what the model is given and asked for, and what its judge reads in the true target."""

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_tasks import made_up
from data_tasks.registry import REGISTRY, Registration
from data_tasks.sources.stored import Mapped, Reading
from unified_io.data import pipeline
from unified_io.errors import ConfigError, DataError, unknown
from unified_io.evaluation import panels
from unified_io.evaluation.gallery import sounds_of
from unified_io.evaluation.metric import Mean
from unified_io.evaluation.predictions import plain
from unified_io.evaluation.report import Gallery, Item, Report, Section, write
from unified_io.mel import MelConfig
from unified_io.modalities.base import FIELDS, TargetModality

_MOST_SAID = 200  # letters of what the judge reads


@dataclasses.dataclass(frozen=True)
class AllFields(TargetModality):
    """Stands for the modalities of a model that reads and writes everything, where no run file names one.

    Attributes:
      ending: What the names of its fields have in common.
    """

    ending: str

    @property
    def name(self) -> str:
        return f"all{self.ending}"

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(key for key in FIELDS if self.ending in key)


@dataclasses.dataclass(frozen=True)
class _Model:
    """What a model reads and writes, as far as a page shows it."""

    inputs: tuple[Any, ...] = (AllFields("_input"),)
    targets: tuple[Any, ...] = (AllFields("_target"),)


def show(
    name: str, split: str, count: int, seed: int, folder: Path, *, sample: bool = False, job: Any = None
) -> Path:
    """Writes report.html into a folder and returns its path.

    Args:
      name: A registered task.
      split: A split of its source.
      count: How many examples.
      seed: What the task draws.
      folder: Made if need be.
      sample: Show the made-up records of its registration.
      job: A training job, for its modalities, its source and its objective; None shows every field.

    Raises:
      ConfigError: There is no such task or split, or no record made up for it.
      DataError: No example can be read.
    """
    job = job.model_job() if hasattr(job, "model_job") else job
    training = getattr(job, "training", job)
    model = training.model if training else _Model()
    source = getattr(training, "source", None)
    about = {"source": source, "objective": getattr(training, "objective", None)}
    with tempfile.TemporaryDirectory() as scratch:
        if sample:
            about["source"] = _sampled(name, split, Path(scratch), source)
        task = pipeline.bind(name, model.inputs, model.targets, **about)
        examples, bad = _read(pipeline.examples(task, split, seed=seed), count)
    if not examples:
        raise DataError(f"{name}, {split}: no example; " + (bad[0] if bad else "the split is empty"))
    sounds = sounds_of(model) if training else Reading().mel
    judge = getattr(REGISTRY.get(name), "form", None)
    items = tuple(_item(example, judge, sounds) for example in examples)
    text = "Orange is hidden from the encoder. Boxes of the target are dashed, those of the prompt are not."
    left_out = "".join(f"\n\nLeft out: {reason}" for reason in bad)
    parts = (Gallery("", items, f"The first {len(items)} examples of {split}, seed {seed}."),)
    page, _ = write(Report(name, _about(name), (Section("Examples", text + left_out, parts),)), folder)
    return page


@dataclasses.dataclass(frozen=True)
class _Sample:
    """Reads what was made up in place of a task's data: all of it in every split."""

    reading: Reading

    def in_place_of(self, declared: Mapped) -> Mapped:
        """Returns the source to read."""
        splits = {ours: own.partition(":")[0] for ours, own in declared.own.items()}
        own = (declared.stored, declared.fields, splits, declared.keep, declared.each)
        return Mapped(*own, self.reading, declared.reworded)


def _sampled(name: str, split: str, folder: Path, reading: Any) -> _Sample:
    """Writes the made-up records of a task as its dataset has them, and returns how to read those."""
    if name not in REGISTRY:
        raise unknown("registered task", name, REGISTRY)
    task = REGISTRY[name]
    if task.sample is None or not isinstance(task.source, Mapped):
        raise ConfigError(
            f"task {name!r} has no made-up records; leave --sample out, or register it with some"
        )
    stored, own = task.source.stored, task.source.own
    if split not in own:
        raise unknown("split", split, own)
    stored.write(folder / stored.name, own[split].partition(":")[0], task.sample)
    for file in task.media:
        made_up.write(folder / stored.name, file)
    declared = reading if isinstance(reading, Reading) else Reading()
    return _Sample(dataclasses.replace(declared, data_dir=str(folder)))


def _read(examples: Iterator[dict[str, Any]], count: int) -> tuple[list[dict[str, Any]], list[str]]:
    found: list[dict[str, Any]] = []
    bad: list[str] = []
    while len(found) < count and len(bad) <= count:
        try:
            found.append(next(examples))
        except StopIteration:
            break
        except DataError as error:
            bad.append(str(error))
    return found, bad


def _item(example: Mapping[str, Any], judge: Any, sounds: MelConfig) -> Item:
    asked = tuple(dataclasses.replace(box, label="") for box in panels.boxes(example.get("text_inputs")))
    wanted = panels.boxes(example.get("text_targets"), truth=True)
    return Item(
        panels.inputs(example, sounds, asked + wanted),
        panels.targets(example, sounds),
        caption="; ".join(filter(None, [str(example.get("meta/id", "")), _judged(judge, example)])),
    )


def _judged(judge: Any, example: Mapping[str, Any]) -> str:
    """What the judge makes of the true target: what it reads in it, and what it gives for that."""
    if not getattr(judge, "metrics", ()):
        return ""
    target = example.get(f"{judge.output}_targets", "")
    answer = target[0] if isinstance(target, list) else target
    read, truth = judge.parse(answer, example), judge.truth(example)
    means = [metric for metric in judge.metrics if isinstance(metric, Mean)]
    scores = ", ".join(f"{metric.name} {metric.each(read, truth):.3g}" for metric in means)
    return f"the judge reads {str(plain(read))[:_MOST_SAID]} {scores and f'({scores})'}".strip()


def _about(name: str) -> str:
    task: Registration | None = REGISTRY.get(name)
    if task is None:
        return "A task of seqio's registry."
    return f"{task.dataset}, {task.group}, {type(task.form).__name__}. {task.obtain}".strip()
