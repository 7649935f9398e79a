"""Laws of packing: every example once, no budget exceeded, every index valid, and everything found again."""

import dataclasses

import numpy as np
import pytest

from tests.data.fakes import INPUTS, TARGETS, random_features
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.packer import Packer, Prepared
from unified_io.data.packing import measure, one_per_row, plan, unplan
from unified_io.errors import ConfigError, DataError

BUDGETS = Budgets(5, 24, 18, {"words": 60, "pictures": 9}, {"answers": 50, "drawings": 6})


def prepared(rng, count):
    examples = []
    for index in range(count):
        features = random_features(rng)
        examples.append(Prepared(f"task:{index}", "task", features, measure(features, INPUTS, TARGETS)))
    return examples


def check_batch(batch, examples, planned):
    """Everything the contract says of a batch, re-derived token by token."""
    budgets = planned.budgets
    for side, modalities, budget, rows in (
        ("inputs", INPUTS, budgets.inputs, batch["encoder"]),
        ("targets", TARGETS, budgets.targets, batch["decoder"]),
    ):
        total = sum(budget[m.name] * m.slot_size for m in modalities)
        used = rows["slots"][rows["slots"] < total]
        assert rows["slots"].min() >= 0 and rows["slots"].max() <= total
        assert ((rows["slots"] == total) == (rows["segment_ids"] == 0)).all()
        for group in range(planned.groups):
            in_group = rows["slots"][group][rows["slots"][group] < total]
            assert len(np.unique(in_group)) == len(in_group)
        first = {
            m.name: sum(budget[k.name] * k.slot_size for k in modalities[:i])
            for i, m in enumerate(modalities)
        }
        expected = 0
        for example, where in zip(examples, unplan(planned), strict=True):
            if where is None:
                continue
            columns = where.encoder if side == "inputs" else where.decoder
            slots = rows["slots"][where.group, where.row, columns]
            wanted = []
            for m in modalities:
                features, items = example.features[side][m.name], getattr(where, side)[m.name]
                assert items.stop <= budget[m.name]
                for key in m.features():
                    np.testing.assert_array_equal(batch[side][m.name][key][where.group, items], features[key])
                places = first[m.name] + np.arange(items.start * m.slot_size, items.stop * m.slot_size)
                wanted.append(places[m.slots(features).reshape(-1)])
            np.testing.assert_array_equal(slots, np.concatenate(wanted))
            expected += len(slots)
            ids = rows["segment_ids" if side == "inputs" else "example_ids"][where.group, where.row]
            assert (ids[columns] == where.segment).all()
            assert (np.delete(ids, np.arange(len(ids))[columns]) != where.segment).all()
        assert expected == len(used)
    check_heads(batch, examples, planned)


def check_heads(batch, examples, planned):
    budgets, decoder = planned.budgets, batch["decoder"]
    nowhere = budgets.rows * budgets.decoder_length
    flat = decoder["slots"].reshape(planned.groups, -1)
    offset, taken = 0, 0
    for m in TARGETS:
        head = batch["heads"][m.name]
        for group in range(planned.groups):
            for place, position in enumerate(head["positions"][group]):
                if position == nowhere:
                    assert head["weights"][group, place] == 0
                else:
                    assert flat[group, position] == offset + place
                    taken += 1
        offset += budgets.targets[m.name] * m.slot_size
    assert taken == (decoder["segment_ids"] > 0).sum()
    for example, where in zip(examples, unplan(planned), strict=True):
        if where is None:
            continue
        for m in TARGETS:
            items, features = where.targets[m.name], example.features["targets"][m.name]
            mine = slice(items.start * m.slot_size, items.stop * m.slot_size)
            weights = np.where(m.slots(features), m.weights(features), 0).reshape(-1)
            np.testing.assert_array_equal(batch["heads"][m.name]["weights"][where.group, mine], weights)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("groups", [1, 3])
def test_a_plan_keeps_every_budget_and_finds_everything_again(seed, groups):
    rng = np.random.default_rng(seed)
    examples = prepared(rng, int(rng.integers(1, 40)))
    planned = plan([e.lengths for e in examples], BUDGETS, groups)
    assert planned.placed[0]
    batch = assemble([e.features for e in examples], planned, INPUTS, TARGETS)
    check_batch(batch, examples, planned)
    assert all(0 <= part <= 1 for part in planned.fill().values())
    real = (batch["encoder"]["segment_ids"] > 0).mean()
    assert planned.fill()["encoder tokens"] == pytest.approx(real)


@pytest.mark.parametrize("seed", range(6))
def test_a_packer_packs_every_example_exactly_once(seed):
    rng = np.random.default_rng(100 + seed)
    examples = prepared(rng, 150)
    packed = list(Packer(INPUTS, TARGETS, BUDGETS, groups=1 + seed % 2).batches(iter(examples)))
    names = [example.name for batch in packed for example in batch.examples]
    assert sorted(names) == sorted(example.name for example in examples)
    assert all(batch.examples for batch in packed)


def test_nobody_waits_long():
    examples = prepared(np.random.default_rng(7), 400)
    order = [
        int(e.name.split(":")[1])
        for b in Packer(INPUTS, TARGETS, BUDGETS).batches(examples)
        for e in b.examples
    ]
    delay = [place - index for place, index in enumerate(order)]
    # Two batches of look-ahead: an example is overtaken by a few batches' worth of others at most.
    assert max(delay) < 60


def test_streams_of_one_example_have_segments_of_their_own():
    rng = np.random.default_rng(3)
    examples = prepared(rng, 30)
    planned = plan([e.lengths for e in examples], BUDGETS, 2)
    batch = assemble([e.features for e in examples], planned, INPUTS, TARGETS)
    seen = {}
    for index, (example, where) in enumerate(zip(examples, unplan(planned), strict=True)):
        if where is None:
            continue
        ids = batch["decoder"]["segment_ids"][where.group, where.row, where.decoder]
        column = 0
        for m in TARGETS:
            features = example.features["targets"][m.name]
            for stream in np.repeat(m.streams(features), m.slot_size):
                key = (where.group, where.row, int(ids[column]))
                assert seen.setdefault(key, (index, m.name, int(stream))) == (index, m.name, int(stream))
                column += 1
    assert len(set(seen.values())) == len(seen)


def test_one_per_row_keeps_the_order():
    examples = prepared(np.random.default_rng(1), 6)
    wide = Budgets(3, 64, 64, {"words": 80, "pictures": 20}, {"answers": 80, "drawings": 20})
    planned = one_per_row([e.lengths for e in examples], wide, groups=2)
    assert [(w.group, w.row) for w in unplan(planned)] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    check_batch(assemble([e.features for e in examples], planned, INPUTS, TARGETS), examples, planned)
    alone = one_per_row(
        [e.lengths for e in examples], dataclasses.replace(wide, examples_per_row=1), groups=2
    )
    np.testing.assert_array_equal(alone.rows, planned.rows)
    with pytest.raises(DataError, match="6 examples but 3 rows"):
        one_per_row([e.lengths for e in examples], wide)
    narrow = Budgets(6, 64, 64, {"words": 2, "pictures": 20}, {"answers": 80, "drawings": 20})
    with pytest.raises(DataError, match="words input items"):
        one_per_row([e.lengths for e in examples], narrow)


def test_an_example_that_can_never_fit_is_named():
    long = Lengths(25, 3, {"words": 25, "pictures": 0}, {"answers": 3, "drawings": 0})
    assert "25 encoder tokens where a batch has room for 24" in BUDGETS.why_never(long)
    example = Prepared("poems:7", "poems", random_features(np.random.default_rng(0)), long)
    with pytest.raises(DataError, match="poems:7 can never be packed: 25 encoder tokens"):
        list(Packer(INPUTS, TARGETS, BUDGETS).batches([example]))
    many = Lengths(20, 3, {"words": 0, "pictures": 10}, {"answers": 3, "drawings": 0})
    with pytest.raises(DataError, match="10 pictures input items"):
        plan([many], BUDGETS)


@pytest.mark.parametrize("lookahead", [0.5, 0.0, float("nan")])
def test_less_than_a_batch_can_not_be_looked_ahead(lookahead):
    with pytest.raises(ConfigError, match="lookahead is .*; a buffer holds at least 1 batch"):
        Packer(INPUTS, TARGETS, BUDGETS, lookahead=lookahead)


def test_budgets_must_be_those_of_the_modalities():
    with pytest.raises(ConfigError, match="input budgets are for"):
        Packer(INPUTS[:1], TARGETS, BUDGETS)
    with pytest.raises(ConfigError, match="budget of drawings target items is 0"):
        Budgets(1, 8, 8, {"words": 8}, {"drawings": 0})


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_row_holds_no_more_examples_than_it_may(most, groups):
    limited = dataclasses.replace(BUDGETS, examples_per_row=most)
    examples = prepared(np.random.default_rng(most), 150)
    batches = list(Packer(INPUTS, TARGETS, limited, groups=groups).batches(examples))
    held = np.concatenate(
        [batch.batch["encoder"]["segment_ids"].max(axis=-1).reshape(-1) for batch in batches]
    )
    assert held.max() == most
    assert sum(len(batch.examples) for batch in batches) == 150
    assert batches[0].fill["examples"] == held[: groups * 5].sum() / (groups * 5 * most)


def test_without_packing_examples_keep_their_order_and_none_waits_longer_than_the_look_ahead():
    alone = dataclasses.replace(
        BUDGETS,
        examples_per_row=1,
        inputs={"words": 100, "pictures": 15},
        targets={"answers": 100, "drawings": 15},
    )
    examples = prepared(np.random.default_rng(4), 43)
    batches = list(Packer(INPUTS, TARGETS, alone, lookahead=3.0).batches(examples))
    assert [x.name for batch in batches for x in batch.examples] == [x.name for x in examples]
    assert [len(batch.examples) for batch in batches] == [5] * 8 + [3]
    assert batches[0].waiting == 10
    with pytest.raises(ConfigError, match="budget of examples is 0"):
        dataclasses.replace(alone, examples_per_row=0)


def test_the_planner_fills_both_sides():
    rng = np.random.default_rng(0)
    lengths = [
        Lengths(int(e), int(d), {"words": int(e)}, {"answers": int(d)})
        for e, d in zip(
            rng.choice([10, 15, 26, 42, 60], 2000), rng.choice([4, 16, 32, 28], 2000), strict=True
        )
    ]
    budgets = Budgets(32, 192, 126, {"words": 32 * 192}, {"answers": 32 * 126})
    fills, waiting = [], lengths
    while len(waiting) > 600:
        planned = plan(waiting[:600], budgets)
        fills.append(list(planned.fill().values())[:2])
        waiting = [x for x, done in zip(waiting[:600], planned.placed, strict=True) if not done] + waiting[
            600:
        ]
    assert np.mean(fills) > 0.95  # what it costs is measured by tools/bench_packing.py
