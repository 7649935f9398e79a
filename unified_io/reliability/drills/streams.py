"""The loader of the tiny job, and its batches as bytes that can be compared."""

from typing import Any

import jax
import numpy as np

from unified_io.data import pipeline
from unified_io.data.loader import Loader
from unified_io.reliability.drills import tiny, world

Bytes = list[bytes]


def loader(of: world.World, mixture: str = world.MIXTURE, **options: Any) -> Loader:
    """Returns a loader of the tiny model; its chunks are as long as the job saves; `options` as in `Loader`."""
    model = tiny.model()
    bound = pipeline.bind(mixture, model.inputs, model.targets, source=of)
    chunk = {"chunk_steps": tiny.SAVED}
    return Loader(bound, model.inputs, model.targets, tiny.BUDGETS, **{**chunk, **options})


def take(source: Loader, start: int, end: int) -> list[Bytes]:
    """Returns the batches of these steps, and ends the loader's thread."""
    batches = source.batches(start)
    made = [as_bytes(next(batches)) for _ in range(start, end)]
    batches.close()
    return made


def as_bytes(batch: Any) -> Bytes:
    """Returns every array of a batch."""
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(batch)]


def by_group(batch: Any) -> list[Bytes]:
    """Returns every array of a batch, group by group."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(batch)]
    return [[leaf[group].tobytes() for leaf in leaves] for group in range(len(leaves[0]))]
