"""Rates of nested mixtures where data are absent."""

import pytest
import seqio

from unified_io.data.shares import shares
from unified_io.errors import ConfigError


@pytest.fixture(scope="module")
def nested():
    source = seqio.FunctionDataSource(lambda split, shuffle_files, seed=None: None, splits=["train"])
    for name in "abc":
        seqio.TaskRegistry.add(f"shares_{name}", source=source, preprocessors=[], output_features={})
    seqio.MixtureRegistry.add("shares_inner", [("shares_a", 3.0), ("shares_b", 1.0)])
    seqio.MixtureRegistry.add("shares_outer", [("shares_inner", 40.0), ("shares_c", 60.0)])
    return seqio.MixtureRegistry.get("shares_outer")


def without(*names):
    return lambda task: task.name.removeprefix("shares_") not in names


def test_with_all_present_it_is_what_seqio_says(nested):
    found = shares(nested, without())
    assert found == {task.name: pytest.approx(nested.get_rate(task) / 100) for task in nested.tasks}
    assert found["shares_a"] == pytest.approx(0.3)


def test_an_absent_task_leaves_its_part_to_its_own_mixture(nested):
    assert shares(nested, without("a")) == {"shares_b": pytest.approx(0.4), "shares_c": pytest.approx(0.6)}


def test_an_absent_mixture_leaves_its_part_to_the_rest(nested):
    assert shares(nested, without("a", "b")) == {"shares_c": 1.0}


def test_a_mixture_without_any_data_says_where_to_look(nested):
    with pytest.raises(ConfigError, match="none of the 3 tasks of 'shares_outer'.*data list"):
        shares(nested, without("a", "b", "c"))
