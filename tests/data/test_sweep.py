"""An evaluation sees the same examples whatever the shape of its batches, on any number of hosts."""

from collections import Counter

import jax
import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.data.fakes import INPUTS, TARGETS
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.sweep import sweep
from unified_io.errors import ConfigError, DataError

PACKED = Budgets(3, 40, 20, {"words": 70, "pictures": 8}, {"answers": 50, "drawings": 6})
LONG = Budgets(1, 80, 40, {"words": 70, "pictures": 8}, {"answers": 50, "drawings": 6})
ALONE = Budgets(4, 30, 20, {"words": 120, "pictures": 8}, {"answers": 80, "drawings": 8}, examples_per_row=1)
COUNT = 43


def said(raw, rng):
    """Says its number so often as chance wants; one has no target, one is torn."""
    n = int(raw["number"])
    if n == 3:
        raise DataError("three is torn")
    letter = chr(1000 + n)
    times = int(rng.integers(1, 14))
    return {
        "text_inputs": "x" * times,
        "text_targets": "" if n == 5 else letter * (1 + times % 3),
        "meta/id": f"row {n}",
    }


def shown(raw, rng):
    image = np.full((2, 2, 3), rng.random(), np.float32)
    return {
        "image_inputs": image,
        "text_targets": chr(2000 + int(raw["number"])),
        "image_targets": image,
        "meta/id": f"picture {raw['number']}",
    }


@pytest.fixture(scope="module")
def bound():
    def numbers(split, shuffle_files, seed=None):
        return tf.data.Dataset.range(25).map(lambda i: {"number": i})

    forms = {"sweep_said": said, "sweep_shown": shown}
    writes = ("text_inputs", "image_inputs", "text_targets", "image_targets", "meta/id")
    for name, form in forms.items():
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(numbers, splits=("train", "validation")),
            preprocessors=[pipeline.numpy_map(form, writes, name)],
            output_features=pipeline.output_features(("text_inputs",)),
        )
    seqio.MixtureRegistry.add("sweep_mixture", [("sweep_said", 2.0), ("sweep_shown", 1.0)])
    yield pipeline.bind("sweep_mixture", INPUTS, TARGETS)
    seqio.MixtureRegistry.remove("sweep_mixture")
    for name in forms:
        seqio.TaskRegistry.remove(name)


def read(bound, budgets, examples=COUNT, **kwargs):
    return list(sweep(bound, INPUTS, TARGETS, budgets, examples, **kwargs))


def held(batches):
    """Every example in some batches: its tokens on both sides, what it shows, and how they count."""
    found = Counter()
    for batch in batches:
        answers, weights = batch["targets"]["answers"]["tokens"], batch["heads"]["answers"]["weights"]
        encoder, decoder = batch["encoder"]["segment_ids"], batch["decoder"]["example_ids"]
        pictures = batch["inputs"]["pictures"]["patches"][..., 0, 0]
        for group, row in np.ndindex(encoder.shape[:2]):
            slots = batch["decoder"]["slots"][group, row]
            for example in range(1, decoder[group, row].max() + 1):
                taken = slots[decoder[group, row] == example]
                words = taken[taken < answers.shape[1]]
                inputs = batch["encoder"]["slots"][group, row][encoder[group, row] == example]
                first = batch["inputs"]["words"]["tokens"].shape[1]
                seen = {
                    round(float(pictures[group, (slot - first) // 4]), 6) for slot in inputs if slot >= first
                }
                found[
                    tuple(answers[group, words].tolist()),
                    tuple(weights[group, words].tolist()),
                    len(taken),
                    len(inputs),
                    tuple(sorted(seen)),
                ] += 1
    return found


def test_the_shape_of_a_batch_does_not_choose_the_examples(bound):
    batches = {shape: read(bound, budgets) for shape, budgets in enumerate((PACKED, LONG, ALONE))}
    found = {shape: held(several) for shape, several in batches.items()}
    assert found[0].total() == COUNT and found[0] == found[1] == found[2]
    assert len(batches[2]) == 11 > len(batches[0]) > 1
    tokens = {
        shape: sum(int((batch["decoder"]["segment_ids"] > 0).sum()) for batch in several)
        for shape, several in batches.items()
    }
    weights = {
        shape: sum(float(head["weights"].sum()) for batch in several for head in batch["heads"].values())
        for shape, several in batches.items()
    }
    assert tokens[0] == tokens[1] == tokens[2]
    assert weights[0] == weights[1] == weights[2]


def test_every_time_the_same_and_fewer_are_the_first_of_more(bound):
    found = held(read(bound, PACKED))
    assert held(read(bound, PACKED)) == found
    assert held(read(bound, PACKED, 7)) < found
    assert held(read(bound, PACKED, seed=1)) != found


@pytest.mark.parametrize("groups", [2, 4])
def test_hosts_share_the_examples_out_and_make_equally_many_batches(bound, groups):
    parts = [read(bound, ALONE, groups=groups, mine=[group]) for group in range(groups)]
    assert {len(part) for part in parts} == {-(-COUNT // (4 * groups))}
    assert sum((held(part) for part in parts), Counter()) == held(read(bound, PACKED))
    whole = read(bound, ALONE, groups=groups)
    for number, batch in enumerate(whole):
        together = jax.tree.map(lambda *leaves: np.concatenate(leaves), *(part[number] for part in parts))
        jax.tree.map(np.testing.assert_array_equal, together, batch)


def test_what_can_not_be_used_is_named_and_replaced(bound, caplog):
    short = Budgets(3, 11, 20, PACKED.inputs, PACKED.targets)
    found = held(read(bound, short))
    assert found.total() == COUNT
    assert found != held(read(bound, PACKED)), "some examples fit only the longer rows"
    assert "left out an example of sweep_said: sweep_said failed on example : " in caplog.text
    assert "left out sweep_said row 5: it has no target token" in caplog.text
    assert "encoder tokens where a batch has room for 11" in caplog.text
    with pytest.raises(DataError, match="could not be used, max_bad is 1"):
        read(bound, short, max_bad=1)


def test_impossible_numbers_are_refused(bound):
    with pytest.raises(ConfigError, match="0 examples in groups"):
        read(bound, PACKED, 0)
    with pytest.raises(ConfigError, match=r"in groups \[2\] of 2"):
        read(bound, PACKED, groups=2, mine=[2])
    with pytest.raises(ConfigError, match="unknown split 'test'"):
        read(bound, PACKED, split="test")
