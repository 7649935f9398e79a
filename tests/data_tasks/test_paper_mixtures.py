"""The paper's mixtures: every row is there, groups keep their rates, and data that are absent are left out by name."""

import logging
import math

import pytest
import seqio

from data_tasks import paper_mixtures
from data_tasks.paper import GROUPS, INSTRUCTION, PRETRAINING
from data_tasks.registry import REGISTRY
from data_tasks.sources.stored import Reading
from tests.data_tasks.registrations import CONFIG, write
from unified_io.data import pipeline
from unified_io.errors import ConfigError


def of(group):
    return [name for name, task in REGISTRY.items() if task.group == group]


@pytest.mark.parametrize("group", GROUPS)
def test_every_row_of_the_paper_is_registered(group):
    # The books of RedPajama were withdrawn: they and what stands in for them are two registrations of one row.
    spare = sum(not REGISTRY[name].available for name in of(group))
    assert GROUPS[group].tasks <= len(of(group)) <= GROUPS[group].tasks + spare


def test_rates_of_the_tables_add_up():
    assert sum(group.rate for group in PRETRAINING.values()) == pytest.approx(100.0)
    # printed with two decimals
    assert sum(g.rate for family in INSTRUCTION.values() for g in family.values()) == pytest.approx(
        100, abs=0.1
    )
    assert sum(g.tasks for family in INSTRUCTION.values() for g in family.values()) == 227


@pytest.mark.parametrize(
    ("mixture", "groups"),
    [
        ("instruction", {name: g for family in INSTRUCTION.values() for name, g in family.items()}),
        ("pretrain", PRETRAINING),
        ("inst_image_dense", INSTRUCTION["image_dense"]),
    ],
)
def test_groups_keep_their_rates_exactly(mixture, groups):
    found = seqio.MixtureRegistry.get(mixture)
    rates = {task.name: found.get_rate(task) for task in found.tasks}
    total = sum(group.rate for group in groups.values())
    for name, group in groups.items():
        assert sum(rates[task] for task in of(name)) == pytest.approx(group.rate)
    assert sum(rates.values()) == pytest.approx(total)


def test_within_a_group_rates_go_with_the_root_of_the_size():
    found = seqio.MixtureRegistry.get("group_vqa")
    rates = {task.name: found.get_rate(task) for task in found.tasks}
    one, other = sorted(rates, key=lambda name: REGISTRY[name].size)[:: len(rates) - 1]
    sizes = REGISTRY[one].size, REGISTRY[other].size
    weights = REGISTRY[one].weight, REGISTRY[other].weight
    assert sizes[0] < sizes[1]
    assert rates[other] / rates[one] == pytest.approx(
        math.sqrt(sizes[1] / sizes[0]) * weights[1] / weights[0]
    )


def test_the_mixtures_that_were_released():
    assert {task.name for task in seqio.MixtureRegistry.get("refexp").tasks} == {*paper_mixtures.REFEXP}
    flan = seqio.MixtureRegistry.get("flan2")
    assert {task.name: flan.get_rate(task) for task in flan.tasks} == paper_mixtures.FLAN
    grit = seqio.MixtureRegistry.get("grit")
    assert sum(grit.get_rate(task) for task in grit.tasks) == pytest.approx(7.0)


def test_absent_data_are_left_out_by_name(tmp_path, caplog):
    for name in ("alpaca", "flan_cot"):
        reading = write(REGISTRY[name], tmp_path)
    with caplog.at_level(logging.WARNING):
        bound = pipeline.bind("flan2", CONFIG.inputs, CONFIG.targets, source=reading)
    assert {task.name: bound.get_rate(task) for task in bound.tasks} == {"flan_cot": 1.0}
    assert "flan2 goes without" in caplog.text and "flan2021" in caplog.text and "flan_cot" not in caplog.text
    both = pipeline.bind("group_instruction_following", CONFIG.inputs, CONFIG.targets, source=reading)
    rates = {task.name: both.get_rate(task) for task in both.tasks}
    assert rates.keys() == {"alpaca", "flan_cot"} and sum(rates.values()) == pytest.approx(1.0)


def test_a_folder_without_data_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="data list"):
        pipeline.bind("grit", CONFIG.inputs, CONFIG.targets, source=Reading(str(tmp_path)))
