"""Proposed shapes fit: rows in the ratio of the mixture, banks that seldom limit, room for the longest example."""

import numpy as np
import pytest

from data_tasks import mixtures  # noqa: F401  registers the mixture
from data_tasks.digits.source import DigitsSource
from tests.data.fakes import INPUTS, TARGETS, random_features
from tests.data_tasks.fakes import small_stock
from tests.data_tasks.test_mixtures import INPUTS as DIGITS_INPUTS
from tests.data_tasks.test_mixtures import TARGETS as DIGITS_TARGETS
from tests.tiny import featurize, tiny_config, tiny_examples
from unified_io import cli
from unified_io.data import pipeline, proposals, statistics
from unified_io.data.budgets import Lengths
from unified_io.data.packing import measure, plan
from unified_io.data.proposals import padded, propose, propose_banks, row_lengths, rows_in
from unified_io.data.rehearsal import rehearse
from unified_io.errors import DataError
from unified_io.gin_edge import session


def drawn(count, seed=0, longest=12):
    rng = np.random.default_rng(seed)
    return [measure(random_features(rng, longest), INPUTS, TARGETS) for _ in range(count)]


def simple(*tokens):
    return [Lengths(encoder, decoder, {}, {}) for encoder, decoder in tokens]


# The last one: what holds the longest example.
@pytest.mark.parametrize(
    ("wanted", "lengths"), [(1000, (2000, 1000)), (1005, (2016, 1008)), (100, (608, 304))]
)
def test_a_row_is_as_long_on_one_side_as_the_other_asks_for(wanted, lengths):
    assert row_lengths(simple((300, 100), (500, 300)), wanted) == lengths


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("wanted", [1, 50, 333])
def test_rows_hold_the_longest_example_and_keep_the_ratio(seed, wanted):
    rng = np.random.default_rng(seed)
    lengths = simple(*rng.integers(1, (200, 60), (50, 2)).tolist())
    encoder, decoder = row_lengths(lengths, wanted)
    assert encoder >= max(x.encoder for x in lengths) and decoder >= max(x.decoder for x in lengths)
    assert encoder % proposals.MULTIPLE == decoder % proposals.MULTIPLE == 0
    ratio = sum(x.encoder for x in lengths) / sum(x.decoder for x in lengths)
    assert encoder / decoder == pytest.approx(ratio, rel=0.12)
    if decoder > 100:
        assert encoder / decoder == pytest.approx(ratio, rel=0.02)


def test_rows_are_as_many_as_there_is_room_for():
    assert rows_in(1728, (128, 88)) == 8 and rows_in(1700, (128, 88)) == 8 and rows_in(10, (128, 88)) == 1


def test_banks_of_tokens_have_more_to_spare_than_those_of_media():
    lengths = drawn(600)
    made = propose_banks(lengths, INPUTS, TARGETS, 8, (48, 40))
    examples = 8 * min(48 / np.mean([x.encoder for x in lengths]), 40 / np.mean([x.decoder for x in lengths]))
    for name, room, margin in (
        ("words", made.inputs["words"], 3.0),
        ("pictures", made.inputs["pictures"], 0.5),
    ):
        counts = [x.inputs[name] for x in lengths]
        spare = (room - examples * np.mean(counts)) / (np.sqrt(examples) * np.std(counts))
        assert spare == pytest.approx(margin, abs=0.3), name
    with pytest.raises(DataError, match="no lengths"):
        propose_banks([], INPUTS, TARGETS, 8, (48, 40))


@pytest.mark.parametrize("seed", range(3))
def test_proposed_rows_are_full_on_both_sides_and_no_longer_than_that_takes(seed):
    lengths = drawn(1200, seed)
    room = 8 * (48 + 40)
    made = propose(lengths, INPUTS, TARGETS, room, lookahead=8.0)
    fresh = rehearse(drawn(1200, seed + 100), made, 8.0).fill
    assert min(fresh["encoder tokens"], fresh["decoder tokens"]) > 0.95
    assert 0.75 * room < made.rows * (made.encoder_length + made.decoder_length) < 1.35 * room
    shorter = row_lengths(lengths, made.decoder_length / 2)
    filled = rehearse(lengths, propose_banks(lengths, INPUTS, TARGETS, 2 * made.rows, shorter), 8.0).fill
    assert (
        shorter[1] > 0.7 * made.decoder_length
        or min(filled["encoder tokens"], filled["decoder tokens"]) < 0.97
    )


def test_an_unpacked_shape_holds_whatever_an_example_can_have():
    config = tiny_config()
    shape = padded(config, 5)
    lengths = [measure(x, config.inputs, config.targets) for x in featurize(config, tiny_examples())]
    assert all(shape.why_never(x) is None for x in lengths)
    planned = plan(lengths, shape)
    assert planned.rows.tolist() == list(range(5))
    most = {m.name: m.max_items for m in config.inputs}, {m.name: m.max_items for m in config.targets}
    everything = Lengths(shape.encoder_length, shape.decoder_length, *most)
    assert plan([everything] * 5, shape).placed.all()
    assert set(plan([everything] * 5, shape).fill().values()) == {1.0}


def test_the_digits_fill_rows_on_both_sides_within_a_thousand_examples(tmp_path):
    reading = session.parse(["run/digits.gin"], [f"MODEL_DIR={str(tmp_path)!r}"])
    training = session.build(reading, cli.run).training
    shape = training.budgets
    with small_stock():
        bound = pipeline.bind("digits_any_to_any", DIGITS_INPUTS, DIGITS_TARGETS, source=DigitsSource())
        sample = statistics.draw(bound, DIGITS_INPUTS, DIGITS_TARGETS, shape, 1600)
    found = rehearse(sample.lengths, shape, training.lookahead)
    assert found.fill["encoder tokens"] >= 0.97 and found.fill["decoder tokens"] >= 0.97
    assert found.ahead <= 1000
