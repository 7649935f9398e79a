"""How full a batch is, and what of its operations real tokens ask for."""

import numpy as np
import pytest
from tiny import featurize, tiny_config, tiny_examples

from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure, plan
from unified_io.train.occupancy import Occupancy


@pytest.fixture(scope="module")
def made():
    config = tiny_config()
    features = featurize(config, tiny_examples())
    lengths = [measure(x, config.inputs, config.targets) for x in features]
    budgets = Budgets(2, 96, 48, {m.name: 48 for m in config.inputs}, {m.name: 24 for m in config.targets})
    planned = plan(lengths, budgets, groups=2)
    assert planned.placed.all()
    batch = assemble(features, planned, config.inputs, config.targets)
    return config, planned, batch, Occupancy(config, budgets, groups=2)


def test_fill_is_what_the_planner_says(made):
    config, planned, batch, occupancy = made
    found, wanted = occupancy(batch), planned.fill()
    assert found["fill/encoder"] == pytest.approx(wanted["encoder tokens"])
    assert found["fill/decoder"] == pytest.approx(wanted["decoder tokens"])
    for kind, side, modalities in (("inputs", "input", config.inputs), ("targets", "target", config.targets)):
        for m in modalities:
            told, items = found[f"fill/{kind}/{m.name}"], wanted[f"{m.name} {side} items"]
            # The planner counts an item that is partly masked as a whole one.
            assert 0 < told <= items + 1e-9, m.name
            assert told == pytest.approx(items) or m.slot_size > 1, m.name


def test_padding_changes_the_operations_and_not_the_useful_ones(made):
    config, planned, batch, occupancy = made
    found = occupancy(batch)
    assert 0 < found["useful_flops"] < found["flops"] == sum(occupancy.parts.values())
    roomy = Budgets(3, 120, 64, planned.budgets.inputs, planned.budgets.targets)
    features = featurize(config, tiny_examples())
    lengths = [measure(x, config.inputs, config.targets) for x in features]
    padded = assemble(features, plan(lengths, roomy, groups=2), config.inputs, config.targets)
    other = Occupancy(config, roomy, groups=2)(padded)
    assert other["useful_flops"] == pytest.approx(found["useful_flops"]) and other["flops"] > found["flops"]
    assert other["fill/encoder"] < found["fill/encoder"]


def test_an_empty_batch_is_empty(made):
    config, planned, _, occupancy = made
    found = occupancy(assemble([], plan([], planned.budgets, 2), config.inputs, config.targets))
    assert found.pop("flops") > 0
    assert set(found.values()) == {0.0}


def test_it_says_what_a_step_takes_and_how_that_was_counted(made):
    *_, occupancy = made
    said = occupancy.describe()
    assert said.startswith(f"a step takes {sum(occupancy.parts.values()) / 1e9:,.4g} GFLOP: decoder ")
    shares = [float(part.split()[-1].rstrip("%")) for part in said.splitlines()[0].split(": ")[1].split(", ")]
    assert np.isclose(sum(shares), 100, atol=0.3)
    assert "4 H K ee" in said
