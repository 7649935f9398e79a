"""One of several ways to ask: each is met, and an answer is read and judged as the way it was asked wants it."""

import pytest

from data_tasks.formats.boxes import FindBoxes
from data_tasks.formats.edit import Edit
from data_tasks.formats.one_of import one_of
from data_tasks.formats.pairs import TwoRegions
from data_tasks.formats.properties import RegionProperty
from tests.data_tasks.formats.wording import made, picture, raw
from unified_io.errors import ConfigError

FORM = one_of(
    FindBoxes("boxes_phrase", query="phrase"),
    RegionProperty("property_phrase", of="phrase"),
    TwoRegions("pairs_which", ask_for="which"),
)
EXAMPLE = raw(
    image=picture(32, 32),
    boxes=[[0.0, 0.0, 0.4, 0.4], [0.3, 0.2, 0.9, 0.9]],
    phrases=["the cup", "the table"],
)
MADE = [made(FORM, EXAMPLE, seed, training=False) for seed in range(24)]


def test_every_way_is_asked_and_a_seed_asks_one():
    assert {FORM.truth(fields)[0] for fields in MADE} == {0, 1, 2}
    assert made(FORM, EXAMPLE, 5)["text_inputs"] == made(FORM, EXAMPLE, 5)["text_inputs"]


def test_it_reads_and_writes_what_each_way_does_once():
    assert FORM.reads == ("image", "boxes", "phrases")
    assert len(set(FORM.writes)) == len(FORM.writes)
    assert all(fields.keys() <= set(FORM.writes) for fields in MADE)


def test_true_answers_score_the_best_and_empty_ones_the_worst():
    (metric,) = FORM.metrics
    truths = [FORM.truth(fields) for fields in MADE]
    right = [FORM.parse(fields["text_targets"], fields) for fields in MADE]
    assert metric.total(right, truths) == pytest.approx(1.0, abs=0.01)
    assert metric.total([FORM.parse("", fields) for fields in MADE], truths) == 0.0


def test_a_way_that_is_wrong_costs_its_share():
    (metric,) = FORM.metrics
    truths = [FORM.truth(fields) for fields in MADE]
    found = [
        FORM.parse("" if truth[0] == 1 else fields["text_targets"], fields)
        for fields, truth in zip(MADE, truths, strict=True)
    ]
    assert metric.total(found, truths) == pytest.approx(2 / 3, abs=0.01)


def test_options_are_those_of_the_way():
    chosen = [fields for fields in MADE if FORM.truth(fields)[0] == 2]
    assert all(FORM.options(fields) == ["1", "2"] for fields in chosen)
    assert FORM.options(next(fields for fields in MADE if FORM.truth(fields)[0] == 0)) == []


def test_ways_that_ask_for_other_modalities_are_refused():
    with pytest.raises(ConfigError, match="same modality"):
        one_of(FORM.forms[0], Edit("edit"))
