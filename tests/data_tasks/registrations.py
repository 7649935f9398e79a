"""A registration on made-up data: its records and media written where its source looks for them, and read back."""

from pathlib import Path

import tensorflow_datasets as tfds

from data_tasks import made_up
from data_tasks.registry import Registration
from data_tasks.sources.stored import Reading
from tests.tiny import MEL, tiny_config
from unified_io.data import pipeline
from unified_io.preprocess.denoisers.media import MediaDenoiser
from unified_io.preprocess.denoisers.objective import Objective
from unified_io.preprocess.denoisers.text import TextDenoiser

CONFIG = tiny_config()
OBJECTIVE = Objective(
    TextDenoiser(length=32),
    tuple(MediaDenoiser(media) for media in CONFIG.inputs if media.name in ("image", "audio")),
    history=2,
)
"""What records of pre-training are asked for: text, pictures and sounds."""


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
    return pipeline.bind(task.name, CONFIG.inputs, CONFIG.targets, source=reading, objective=OBJECTIVE)


def first(task: Registration, folder: Path, split: str):
    """The first example of a split; of a builder of tfds, made up by tfds."""
    if task.sample is None:
        with tfds.testing.mock_data(num_examples=4):
            return next(pipeline.examples(bound(task, Reading(str(folder), MEL, frames=3)), split))
    return next(pipeline.examples(bound(task, write(task, folder)), split))
