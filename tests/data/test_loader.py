"""The batches of a step depend on seed and step alone; bad examples are named; threads end."""

import itertools
import threading

import jax
import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.data.fakes import INPUTS, TARGETS
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.loader import Loader
from unified_io.errors import DataError

BUDGETS = Budgets(3, 30, 20, {"words": 70, "pictures": 8}, {"answers": 50, "drawings": 6})


def numbers(split, shuffle_files, seed=None):
    return tf.data.Dataset.range(40).map(lambda i: {"number": i})


def words(raw, rng):
    n = int(raw["number"])
    if n == 7:
        raise DataError("seven is torn")
    return {
        "text_inputs": "x" * (60 if n == 9 else int(rng.integers(1, 12))),
        "text_targets": "" if n == 11 else ["ab", "c"],
        "meta/id": f"row {n}",
    }


def pictures(raw, rng):
    image = np.full((2, 2, 3), rng.random(), np.float32)
    return {
        "text_inputs": "see",
        "image_inputs": image,
        "image_targets": image,
        "meta/id": f"row {raw['number']}",
    }


@pytest.fixture(scope="module")
def bound():
    for name, function, writes in (
        ("loader_words", words, ("text_inputs", "text_targets", "meta/id")),
        ("loader_pictures", pictures, ("text_inputs", "image_inputs", "image_targets", "meta/id")),
    ):
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(numbers, splits=("train",)),
            preprocessors=[pipeline.numpy_map(function, writes, name)],
            output_features=pipeline.output_features(("text_inputs",)),
            shuffle_buffer_size=40,
        )
    seqio.MixtureRegistry.add("loader_mixture", [("loader_words", 3.0), ("loader_pictures", 2.0)])
    yield pipeline.bind("loader_mixture", INPUTS, TARGETS)
    seqio.MixtureRegistry.remove("loader_mixture")
    seqio.TaskRegistry.remove("loader_words")
    seqio.TaskRegistry.remove("loader_pictures")


def take(loader, start, count):
    stream = loader.batches(start)
    batches = list(itertools.islice(stream, count))
    stream.close()
    return batches


def same(one, other):
    return all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


def test_resuming_gives_the_very_next_batch(bound):
    make = lambda seed: Loader(bound, INPUTS, TARGETS, BUDGETS, seed=seed, chunk_steps=3, groups=2)  # noqa: E731
    whole = take(make(5), 0, 5)
    assert len(whole) == 5
    for start in (1, 3):
        for a, b in zip(whole[start:], take(make(5), start, 5 - start), strict=True):
            assert same(a, b), f"resumed at step {start}"
    assert not same(whole[0], take(make(6), 0, 1)[0])
    assert not any(same(whole[0], later) for later in whole[1:])


def test_bad_examples_are_named_counted_and_left_out(bound):
    loader = Loader(bound, INPUTS, TARGETS, BUDGETS, chunk_steps=20)
    take(loader, 0, 20)
    reasons = {entry.reason.split(";")[0] for entry in loader.quarantine}
    assert any("seven is torn" in reason for reason in reasons)
    assert "60 encoder tokens where a batch has room for 30" in reasons
    assert "it has no target token" in reasons
    assert {"loader_words row 9", "loader_words row 11"} <= {entry.name for entry in loader.quarantine}
    assert loader.report()["quarantined"] == len(loader.quarantine)


def test_too_many_bad_examples_end_the_run(bound):
    with pytest.raises(DataError, match="3 examples could not be used, max_bad is 2; the last was "):
        take(Loader(bound, INPUTS, TARGETS, BUDGETS, max_bad=2), 0, 50)
    with pytest.raises(DataError, match="1 examples could not be used, max_bad is 0"):
        take(Loader(bound, INPUTS, TARGETS, BUDGETS, max_bad=0), 0, 50)
    assert "prefetch" not in {thread.name for thread in threading.enumerate()}


def test_the_report_compares_seen_with_planned(bound):
    loader = Loader(bound, INPUTS, TARGETS, BUDGETS, chunk_steps=15)
    take(loader, 0, 30)
    report = loader.report()
    assert report["planned/loader_words"] == 0.6
    assert report["share/loader_words"] == pytest.approx(0.6, abs=0.15)
    assert report["seen/loader_words"] + report["seen/loader_pictures"] >= 30 * 3
    assert 0.6 < report["fill/encoder tokens"] <= 1
    assert report["dropped"] > 0


def test_shards_read_different_examples(bound):
    loaders = [Loader(bound, INPUTS, TARGETS, BUDGETS, shard=seqio.ShardInfo(index, 2)) for index in range(2)]
    first, second = (take(loader, 0, 1)[0] for loader in loaders)
    assert not same(first, second)
