"""Registrations that make, find or paint something in pictures: each gives an example, a batch, and the best score."""

import collections

import numpy as np
import pytest

import data_tasks.datasets  # noqa: F401  registers the tasks
from data_tasks.formats.one_of import OneOf
from data_tasks.paper import INSTRUCTION
from data_tasks.registry import REGISTRY
from data_tasks.sources.stored import Context, Reading
from tests.data_tasks.registrations import CONFIG, first
from unified_io.data.budgets import Budgets
from unified_io.data.packer import Packer, prepare

GROUPS = {
    name: group
    for family in ("image_generation", "image_sparse", "image_dense", "video_sparse")
    for name, group in INSTRUCTION[family].items()
}
TASKS = sorted(name for name, task in REGISTRY.items() if task.group in GROUPS)
BUDGETS = Budgets(
    2,
    300,
    300,
    {m.name: 16 if m.slot_size > 1 else 500 for m in CONFIG.inputs},
    {m.name: 16 if m.slot_size > 1 else 500 for m in CONFIG.targets},
)
BINS = 0.15
"""How far a score may lie below the best because boxes are written in whole bins."""


def test_every_group_has_the_tasks_of_table_11():
    found = collections.Counter(REGISTRY[name].group for name in TASKS)
    assert found == {name: group.tasks for name, group in GROUPS.items()}


@pytest.mark.parametrize("name", TASKS)
def test_what_a_row_of_the_table_says(name):
    task = REGISTRY[name]
    assert task.dataset and task.obtain and task.size > 1_000
    assert task.weight == 1.0 and task.available


def example_of(name, folder):
    """The first example of the first split that has one."""
    for split in REGISTRY[name].source.own:
        try:
            return first(REGISTRY[name], folder, split)
        except StopIteration:
            continue
    raise AssertionError(f"{name} has no example in any split")


@pytest.mark.parametrize("name", TASKS)
def test_an_example_is_packed_and_its_true_answer_is_the_best(name, tmp_path):
    form, example = REGISTRY[name].form, example_of(name, tmp_path)
    head = form.output
    assert example["text_inputs"].startswith(f"[{head.capitalize()}] [S] ")
    prepared = prepare(example, CONFIG.inputs, CONFIG.targets)
    packed = next(Packer(CONFIG.inputs, CONFIG.targets, BUDGETS).batches([prepared]))
    assert len(packed.examples) == 1
    assert packed.batch["heads"][head]["weights"].sum() > 0

    right = example[f"{head}_targets"]
    for metric in form.metrics:
        best = metric.total([form.parse(right, example)], [form.truth(example)])
        assert best == pytest.approx(metric.best, abs=BINS * abs(metric.best - metric.worst))
        wrong = np.zeros((8, 8, 3)) if head == "image" else "zzz"
        nothing = metric.total([form.parse(wrong, example)], [form.truth(example)])
        assert abs(nothing - metric.best) >= abs(best - metric.best)


def context(training=False, seed=0):
    return Context(None, Reading(), "train", training, (seed,))
