"""A registration on made-up data: its records and media written where its source looks for them, and read back."""

from pathlib import Path

import tensorflow_datasets as tfds

from data_tasks import made_up
from data_tasks.registry import Registration
from data_tasks.sources.stored import Reading
from tests.tiny import MEL, tiny_config
from unified_io.data import pipeline
from unified_io.preprocess.denoisers.objective import Objective

CONFIG = tiny_config()


def write(task: Registration, folder: Path) -> Reading:
    """Writes the samples of a registration for all its splits; returns how to read them."""
    source = task.source
    for name in task.media:
        made_up.write(folder / source.stored.name, name)
    for own in {name.partition(":")[0] for name in source.own.values()}:
        source.stored.write(folder / source.stored.name, own, task.sample)
    return Reading(str(folder), MEL, frames=3)


def bound(task: Registration, reading: Reading):
    """A registration bound to the small model."""
    objective = Objective(history=2)
    return pipeline.bind(task.name, CONFIG.inputs, CONFIG.targets, source=reading, objective=objective)


def first(task: Registration, folder: Path, split: str):
    """The first example of a split; of a builder of tfds, made up by tfds."""
    if task.sample is None:
        with tfds.testing.mock_data(num_examples=4):
            return next(pipeline.examples(bound(task, Reading(str(folder), MEL, frames=3)), split))
    return next(pipeline.examples(bound(task, write(task, folder)), split))
