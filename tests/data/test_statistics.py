"""What the report says is what is in the sample, and what the packer does with it."""

import ast
import dataclasses
import json

import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.data.fakes import INPUTS, TARGETS, random_features
from unified_io.data import pipeline, statistics
from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.packer import Prepared
from unified_io.data.packing import measure
from unified_io.data.quarantine import Quarantined
from unified_io.data.rehearsal import rehearse
from unified_io.data.statistics import Sample
from unified_io.errors import ConfigError, DataError

BUDGETS = Budgets(3, 30, 20, {"words": 70, "pictures": 8}, {"answers": 50, "drawings": 6})


def prepared(count, seed=0):
    rng = np.random.default_rng(seed)
    for index in range(count):
        features = random_features(rng)
        yield Prepared(f"example {index}", "made", features, measure(features, INPUTS, TARGETS))


def sample(lengths, **changes):
    blank = [0] * len(lengths)
    names = [*(f"{m.name} inputs" for m in INPUTS), *(f"{m.name} targets" for m in TARGETS)]
    whole = Sample(lengths, {name: blank for name in names}, {"made": len(lengths)}, {"made": 1.0}, [])
    return Sample(**{**vars(whole), **changes})


def test_the_report_counts_lengths_modalities_and_sources():
    lengths = [
        Lengths(e, d, {"words": e, "pictures": 0}, {"answers": d, "drawings": 0})
        for e, d in zip(range(1, 21), [4] * 20, strict=True)
    ]
    words = [*range(1, 16), *[0] * 5]
    found = statistics.report(
        sample(
            lengths,
            tokens={"words inputs": words, "pictures inputs": [0] * 20},
            seen={"a": 15, "b": 5},
            planned={"a": 0.5, "b": 0.5},
            skipped=[Quarantined("a row 3", "it has no target token")],
        ),
        INPUTS,
        TARGETS,
        BUDGETS,
        lookahead=1.5,
    )
    assert json.loads(json.dumps(found)) == found
    assert found["lengths"]["encoder"] == {
        "mean": 10.5, "p0": 1, "p5": 1, "p25": 5, "p50": 10, "p75": 15, "p95": 19, "p99": 20, "p100": 20
    }  # fmt: skip
    histogram = found["modalities"]["words inputs"]
    assert histogram["present"] == 0.75
    assert histogram["edges"] == [1, 3, 5, 7, 9, 11, 13, 15, 17] and histogram["counts"] == [2] * 7 + [1]
    assert found["modalities"]["pictures inputs"] == {"present": 0.0, "edges": [], "counts": []}
    assert found["sources"]["b"] == {"planned": 0.5, "seen": 0.25, "examples": 5}
    assert found["skipped"] == [{"name": "a row 3", "reason": "it has no target token"}]
    # 10.5 of 30 encoder places and 4 of 20 decoder places an example.
    assert found["bound"] == pytest.approx({"encoder tokens": 1.0, "decoder tokens": (4 / 20) / (10.5 / 30)})
    assert found["lookahead"] == 1.5 and found["given"]["budgets"]["rows"] == 3
    given, proposed = (Budgets(**found[name]["budgets"]) for name in ("given", "proposed"))
    assert proposed.encoder_length / proposed.decoder_length == pytest.approx(10.5 / 4, rel=0.1)
    rehearsed = rehearse(lengths, proposed, 1.5)
    assert found["proposed"]["fill"] == rehearsed.fill and found["proposed"]["ahead"] == rehearsed.ahead
    text = statistics.as_text(found)
    for piece in ("words inputs: in 75.0% of the examples", "a row 3: it has no target token", "25.00%"):
        assert piece in text
    bars = [line.count("█") for line in text.splitlines() if "█" in line]
    assert max(bars) == 40 and bars[-1] == 20


@pytest.mark.parametrize("examples_per_row", [None, 1])
def test_what_is_proposed_can_be_copied_into_a_gin_file(examples_per_row):
    lengths = [x.lengths for x in prepared(200)]
    given = dataclasses.replace(BUDGETS, examples_per_row=examples_per_row)
    found = statistics.report(sample(lengths), INPUTS, TARGETS, given)
    _, copied = statistics.as_text(found).split("budgets.Budgets:\n")
    values = dict(line.strip().split(" = ") for line in copied.split("\n\n")[0].splitlines())
    made = Budgets(**{name: ast.literal_eval(value) for name, value in values.items()})
    assert dataclasses.asdict(made) == found["proposed"]["budgets"]


def test_without_packing_the_report_says_how_many_rows_have_an_example():
    lengths = [x.lengths for x in prepared(200)]
    alone = dataclasses.replace(BUDGETS, examples_per_row=1)
    found = statistics.report(sample(lengths), INPUTS, TARGETS, alone)
    assert found["given"]["fill"]["examples"] > 0.9 and "examples" not in found["proposed"]["fill"]
    assert found["proposed"]["fill"]["encoder tokens"] > found["given"]["fill"]["encoder tokens"] + 0.2
    (line,) = [line for line in statistics.as_text(found).splitlines() if line.startswith("examples  ")]
    assert line.split()[1] == "1" and line.split()[3] == "-"


def test_proposed_budgets_fill_no_worse_than_tight_ones():
    lengths = [x.lengths for x in prepared(400)]
    tight = Budgets(3, 30, 20, {"words": 20, "pictures": 2}, {"answers": 20, "drawings": 1})
    found = statistics.report(sample(lengths), INPUTS, TARGETS, tight)
    assert found["proposed"]["fill"]["encoder tokens"] > found["given"]["fill"]["encoder tokens"] + 0.1


def write(raw, rng):
    n = int(raw["number"])
    if n == 3:
        raise DataError("three is torn")
    return {"text_inputs": "x" * (40 if n == 5 else 1 + n % 4), "text_targets": "ab", "meta/id": f"row {n}"}


@pytest.fixture(scope="module")
def bound():
    def numbers(split, shuffle_files, seed=None):
        return tf.data.Dataset.range(20).map(lambda i: {"number": i})

    for name in ("statistics_one", "statistics_two"):
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(numbers, splits=("train",)),
            preprocessors=[pipeline.numpy_map(write, ("text_inputs", "text_targets", "meta/id"), name)],
            output_features=pipeline.output_features(("text_inputs",)),
            shuffle_buffer_size=20,
        )
    seqio.MixtureRegistry.add("statistics_both", [("statistics_one", 3.0), ("statistics_two", 1.0)])
    yield pipeline.bind("statistics_both", INPUTS, TARGETS)
    seqio.MixtureRegistry.remove("statistics_both")
    seqio.TaskRegistry.remove("statistics_one")
    seqio.TaskRegistry.remove("statistics_two")


def test_a_mixture_is_measured_and_what_is_skipped_is_named(bound):
    told = []
    drawn = statistics.draw(bound, INPUTS, TARGETS, BUDGETS, 80, tell=told.append)
    assert told == list(range(1, 81)) and len(drawn.lengths) == 80
    assert drawn.tokens["words inputs"] == [x.encoder for x in drawn.lengths]
    assert set(drawn.tokens["answers targets"]) == {2} and set(drawn.tokens["pictures inputs"]) == {0}
    assert sum(drawn.seen.values()) == 80 and drawn.seen["statistics_one"] > drawn.seen["statistics_two"] > 0
    assert drawn.planned == {"statistics_one": 0.75, "statistics_two": 0.25}
    reasons = {entry.name: entry.reason for entry in drawn.skipped}
    assert reasons["statistics_one row 5"] == "40 encoder tokens where a batch has room for 30"
    assert any("three is torn" in reason for reason in reasons.values())


def test_impossible_numbers_are_refused(bound):
    with pytest.raises(ConfigError, match="0 examples to look at"):
        statistics.draw(bound, INPUTS, TARGETS, BUDGETS, 0)
    with pytest.raises(ConfigError, match="unknown split 'valid'"):
        statistics.draw(bound, INPUTS, TARGETS, BUDGETS, 5, split="valid")
    with pytest.raises(DataError, match="max_bad is 3"):
        too_small = Budgets(1, 1, 1, BUDGETS.inputs, BUDGETS.targets)
        statistics.draw(bound, INPUTS, TARGETS, too_small, 3)
