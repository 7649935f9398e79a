"""What the packing benchmark rests on: the drawn mixtures, the three ways to lay them out, the counted operations."""

from collections import Counter

import bench_packing
import numpy as np
import pytest
from bench import mixtures, model, shape, ways
from bench.examples import Examples
from bench.raw import raw
from bench.stream import WAYS, Stream, cost_of

from tests.tiny import featurize, tiny_config, tiny_examples
from unified_io.data import proposals
from unified_io.data.packing import measure
from unified_io.data.pairs import Pairs
from unified_io.errors import ConfigError
from unified_io.flops import StepFlops
from unified_io.mel import MelConfig
from unified_io.preprocess import image_ops
from unified_io.vocab import Vocabulary


@pytest.fixture(scope="module")
def config():
    return model.numbered(model.base(model.NARROWER))


@pytest.fixture(scope="module")
def features(config):
    examples = Examples(config, seed=0)
    return [examples.features(drawn) for drawn in mixtures.draw("balanced", 800, seed=0)]


@pytest.fixture(scope="module")
def lengths(config, features):
    return [measure(x, config.inputs, config.targets) for x in features]


def test_kinds_come_as_often_as_their_rates_say():
    drawn = Counter(id(example.kind) for example in mixtures.draw("balanced", 10_000, seed=0))
    for name, part in mixtures.MIXTURES["balanced"].items():
        spread = np.sqrt(10_000 * part * (1 - part))
        assert abs(drawn[id(mixtures.KINDS[name])] - 10_000 * part) < 4 * spread, name


@pytest.mark.parametrize(
    ("mixture", "raised"), [("text_heavy", mixtures.LANGUAGE), ("image_heavy", mixtures.DRAWING)]
)
def test_a_heavy_mixture_is_three_quarters_of_its_kinds(mixture, raised):
    parts = mixtures.MIXTURES[mixture]
    assert sum(parts.values()) == pytest.approx(1.0)
    assert sum(parts[name] for name in raised) == pytest.approx(0.75)
    before = mixtures.MIXTURES["balanced"]
    first, second = raised[:2]
    assert parts[first] / parts[second] == pytest.approx(before[first] / before[second])


def test_the_seed_decides_what_is_drawn():
    assert mixtures.draw("balanced", 50, seed=3) == mixtures.draw("balanced", 50, seed=3)
    assert mixtures.draw("balanced", 50, seed=3) != mixtures.draw("balanced", 50, seed=4)


def test_lengths_are_those_of_base(config):
    whole = proposals.padded(config, 1)
    assert whole.encoder_length == 512 + 576 + 4 * 32 + 128 + 4 * 16
    assert whole.decoder_length == 512 + 1024 + 512


def test_features_are_as_long_as_drawn_and_fit_a_released_row(features, lengths):
    drawn = mixtures.draw("balanced", 800, seed=0)
    assert [len(x["inputs"]["text"]["tokens"]) for x in features] == [example.prompt for example in drawn]
    assert [len(x["targets"]["text"]["tokens"]) for x in features] == [example.answer for example in drawn]
    assert [x.inputs["image_history"] for x in lengths] == [example.kind.frames for example in drawn]
    assert max(x.encoder for x in lengths) <= ways.PAIR_LENGTHS[0]
    assert max(x.decoder for x in lengths) <= ways.PAIR_LENGTHS[1]
    assert min(x.decoder for x in lengths) > 0


def test_padded_is_one_example_a_row(config, lengths):
    way = ways.padded(config, lengths, room=3 * (1408 + 2048))
    assert [step.examples for step in way.steps[:2]] == [(0, 1, 2), (3, 4, 5)]
    assert way.examples == 3 and way.budgets.inputs["image_history"] == 12
    assert way.fill(0) == pytest.approx(np.mean([x.encoder for x in lengths[:798]]) / 1408)


def test_pairs_are_those_of_the_released_pipeline(config, lengths):
    way = ways.paired(config, lengths, rows=4)
    released = Pairs(
        [(x.encoder, x.decoder) for x in lengths], max_encoder=864, max_decoder=1280, pool_size=10
    )
    wanted = [tuple(i for i in pair if i is not None) for pair in released]
    made = [
        tuple(np.asarray(step.examples)[step.plan.rows == row].tolist())
        for step in way.steps
        for row in range(4)
    ]
    assert made == wanted[: len(made)] and len(made) > len(wanted) - 4


def two_rows(config, lengths):
    row = proposals.row_lengths(lengths, 1536)
    return proposals.propose_banks(lengths, config.inputs, config.targets, 2, row)


def test_ours_holds_every_example_once_and_within_budgets(config, lengths):
    way = ways.packed(lengths, two_rows(config, lengths), lookahead=60)
    seen = [index for step in way.steps for index in step.examples]
    assert len(seen) == len(set(seen)) > 300
    assert max(max(step.plan.fill().values()) for step in way.steps) <= 1.0
    assert all(step.plan.placed.all() for step in way.steps)


def test_too_few_examples_for_the_look_ahead_are_an_error(config, lengths):
    budgets = two_rows(config, lengths)
    with pytest.raises(ConfigError, match="look-ahead of 500; give more examples"):
        ways.packed(lengths[:400], budgets, lookahead=500)


def test_the_cheapest_shape_wins_unless_a_full_one_costs_little_more(config, lengths, monkeypatch):
    monkeypatch.setattr(shape, "DECODER_LENGTHS", (1280, 1600))

    def fitted(goal, premium, cost):
        monkeypatch.setattr(shape, "GOAL", goal)
        monkeypatch.setattr(shape, "PREMIUM", premium)
        return shape.fit(config, lengths, 8000, 100, cost).decoder_length

    short = lambda budgets: budgets.rows * budgets.decoder_length**3  # noqa: E731
    assert fitted(0.0, 9.0, short) == 1280
    assert fitted(0.0, 9.0, lambda budgets: 1 / short(budgets)) == 1600
    assert fitted(0.95, 9.0, short) == 1600, "rows of 1280 are not full on both sides"
    assert fitted(0.95, 1.0, short) == 1280


@pytest.fixture(scope="module")
def tiny():
    config = tiny_config()
    return config, StepFlops(config)


def test_padding_and_absent_media_are_what_is_wasted(tiny):
    config, flops = tiny
    features = featurize(config, tiny_examples())
    lengths = [measure(x, config.inputs, config.targets) for x in features]
    one = proposals.padded(config, 1)
    room = 5 * (one.encoder_length + one.decoder_length)
    stream = Stream(config, features, dict.fromkeys(WAYS, ways.padded(config, lengths, room)))
    spent = cost_of(flops, stream.ways["padded"].budgets)
    asked_for = sum(sum(flops.unpadded(x).values()) for x in features)
    assert stream.wasted("padded", flops) == pytest.approx(1 - asked_for / spent)
    assert 0.5 < stream.wasted("padded", flops) < 1
    assert stream.gains(flops) == (1.0, 1.0)


def test_the_summary_is_what_the_goals_ask_for():
    line = bench_packing.Result(*range(13))
    rates = {"padded": 2.0, "pairs": 4.0, "ours": 10.0}
    lines = {name: line._replace(examples_s=rate) for name, rate in rates.items()}
    gain = {"ours_over_padded": 5.0, "ours_over_pairs": 2.5}
    assert bench_packing.summary({"balanced": lines, "text_heavy": lines, "image_heavy": lines}) == {
        **dict.fromkeys(mixtures.MIXTURES, gain),
        "fill_encoder": line.fill_encoder,
        "fill_decoder": line.fill_decoder,
        "planner_share": line.plan_share,
    }


def test_raw_media_are_seeded_and_of_the_drawn_size():
    drawn = next(x for x in mixtures.draw("balanced", 100, 0) if x.kind.frames and x.kind.audio)
    vocabulary, mel = Vocabulary(), MelConfig()
    first, second = (raw(np.random.default_rng(5), drawn, vocabulary, mel) for _ in range(2))
    assert first["image_inputs"] == second["image_inputs"] and first["text_inputs"] == second["text_inputs"]
    assert image_ops.read(first["image_inputs"]).shape == (*drawn.picture, 3)
    assert len(first["image_history_inputs"]) == drawn.kind.frames
    assert first["audio_inputs"].shape == (mel.samples,) and np.abs(first["audio_inputs"]).max() <= 1.5
    assert first["text_targets"]
