"""Which sources a bound task or mixture draws from, how often, and whose turn it is."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import seqio

from unified_io.data import pipeline
from unified_io.data.records import EmptySource
from unified_io.errors import ConfigError, unknown

# Turns drawn at a time: one draw costs as much as many.
_DRAWN = 1024


def tasks_of(bound: pipeline.Bound, split: str) -> dict[str, seqio.Task]:
    """Returns the tasks that have a split, by name.

    Raises:
      ConfigError: None has it.
    """
    if split not in bound.splits:
        raise unknown("split", split, bound.splits)
    tasks = [bound] if isinstance(bound, seqio.Task) else bound.tasks
    return {task.name: task for task in tasks if split in task.splits}


def rates_of(bound: pipeline.Bound, split: str) -> dict[str, float]:
    """Returns the part of the examples that every task is to give; they sum to 1.

    Raises:
      ConfigError: A rate is negative or no number, or all are zero; names the task.
    """
    if isinstance(bound, seqio.Task):
        return {bound.name: 1.0}
    rates = {name: float(bound.get_rate(task)) for name, task in tasks_of(bound, split).items()}
    for name, rate in rates.items():
        if not (math.isfinite(rate) and rate >= 0):
            raise ConfigError(f"{name} has the rate {rate:g} in {bound.name!r}; give it 0 or more")
    total = sum(rates.values())
    if not total:
        raise ConfigError(f"every rate in {bound.name!r} is 0; give at least one task more")
    return {name: rate / total for name, rate in rates.items()}


def check_files(bound: pipeline.Bound, split: str) -> None:
    """Makes sure that every task that is drawn has files, where it reads files.

    Raises:
      EmptySource: One has none; names it and where they should be.
    """
    tasks = tasks_of(bound, split)
    for name, rate in rates_of(bound, split).items():
        source = tasks[name].source
        if rate and isinstance(source, seqio.FileDataSource) and not source.list_shards(split):
            where = source._split_to_filepattern[split]
            raise EmptySource(f"{name} finds no file at {where!r}; prepare the data, or say where they lie")


def turns(rates: Mapping[str, float], seed: int) -> Iterator[str]:
    """Yields the names of tasks for ever, each as often as its rate says; the same for the same seed."""
    rng, names = np.random.default_rng(seed), list(rates)
    while True:
        yield from (names[i] for i in rng.choice(len(names), _DRAWN, p=list(rates.values())).tolist())
