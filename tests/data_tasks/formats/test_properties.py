"""Properties of boxes, boxes in other orders, and two things in one query."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tasks.formats.box_values import JOINT, ORDERS, PROPERTIES, ordered, unordered
from data_tasks.formats.boxes_augmented import NAMED, UNNAMED, WrittenBoxes
from data_tasks.formats.pairs import ASKS, BOTH50, IN_PLACE, TwoRegions
from data_tasks.formats.properties import WITHIN, RegionProperty, found_values
from tests.data_tasks.formats.garbage import ANSWERS
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, raw
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.boxes import ACC50
from unified_io.structures import text_to_values

BOX = np.array([0.2, 0.1, 0.6, 0.4])
BOXES = [[0.1, 0.2, 0.5, 0.6], [0.3, 0.4, 0.8, 0.9], [0.4, 0.1, 0.9, 0.45]]
WRITTEN = ("none", "class", "classes", "phrase")
SEEDS = range(60)


def example(**fields):
    given = {
        "image": picture(40, 60),
        "boxes": BOXES,
        "names": ["cat", "dog", "cat"],
        "phrases": ["the left cat", "a dog", "the right cat"],
    }
    return raw(**{**given, **fields})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("width", [0.3]),
        ("height", [0.4]),
        ("area", [0.12]),
        ("left half", [0.2, 0.1, 0.6, 0.25]),
        ("right half", [0.2, 0.25, 0.6, 0.4]),
        ("top half", [0.2, 0.1, 0.4, 0.4]),
        ("bottom half", [0.4, 0.1, 0.6, 0.4]),
        ("center", [0.4, 0.25]),
        ("distance to the left edge", [0.1]),
        ("distance to the right edge", [0.6]),
        ("distance to the top edge", [0.2]),
        ("distance to the bottom edge", [0.4]),
        ("top left corner", [0.2, 0.1]),
        ("top right corner", [0.2, 0.4]),
        ("bottom left corner", [0.6, 0.1]),
        ("bottom right corner", [0.6, 0.4]),
    ],
)
def test_every_property_by_hand(name, values):
    np.testing.assert_allclose(PROPERTIES[name].of(BOX), values)
    assert PROPERTIES[name].size == len(values)


def test_values_of_two_boxes_by_hand():
    other = np.array([0.4, 0.3, 0.8, 0.9])
    values = {name: of(BOX, other) for name, (_, of) in JOINT.items()}
    np.testing.assert_allclose(values["area of the intersection"], [0.02])
    np.testing.assert_allclose(values["box around both"], [0.2, 0.1, 0.8, 0.9])
    assert JOINT["area of the intersection"][1](BOX, BOX + 0.5) == [0.0]
    assert all(len(values[name]) == size for name, (size, _) in JOINT.items())


def test_an_order_by_hand():
    np.testing.assert_allclose(ordered(BOX[None], "x1 y1 width height"), [[0.1, 0.2, 0.3, 0.4]], atol=1e-6)
    np.testing.assert_allclose(
        ordered(BOX[None], "center x, center y, width, height"), [[0.25, 0.4, 0.3, 0.4]], atol=1e-6
    )


@settings(deadline=None)
@given(st.sampled_from([*ORDERS]), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_every_order_is_turned_back(order, numbers):
    y1, x1, y2, x2 = numbers
    box = np.array([[min(y1, y2), min(x1, x2), max(y1, y2), max(x1, x2)]])
    np.testing.assert_allclose(unordered(ordered(box, order), order), box, atol=1e-6)


@pytest.mark.parametrize("of", ["class", "phrase"])
def test_laws_and_oracle_of_a_property(of):
    form = RegionProperty(f"property_{of}", of)
    check_laws(form, example())
    assert oracle(form, [example()] * 40) == best(form)
    assert oracle(form, [example()] * 4, "very wide") == {"within_0.02": 0.0}


def test_every_property_is_asked_for_of_every_box_of_the_class():
    form, asked = RegionProperty("property_class", "class"), {}
    for seed in range(300):
        fields = made(form, example(), seed, training=False)
        name = max((n for n in PROPERTIES if n in fields["text_inputs"]), key=len)
        count = len(form.truth(fields)["values"])
        assert count == (2 if "cat" in fields["text_inputs"] else 1)
        assert len(text_to_values(fields["text_targets"], PROPERTIES[name].size).values) == count
        asked[name] = asked.get(name, 0) + 1
    assert asked.keys() == PROPERTIES.keys()


def test_near_is_right_and_too_many_or_too_few_cost():
    def score(predicted, true):
        return WITHIN.total([{"values": predicted}], [{"values": true}])

    assert score([[0.5, 0.5]], [[0.515, 0.49]]) == 1.0
    assert score([[0.5, 0.5]], [[0.53, 0.5]]) == 0.0
    assert score([[0.7], [0.1]], [[0.1], [0.7]]) == 1.0
    assert score([[0.1], [0.1]], [[0.1]]) == score([[0.1]], [[0.1], [0.7]]) == 0.5


@pytest.mark.parametrize("query", WRITTEN)
def test_laws_and_oracle_of_other_orders(query):
    form = WrittenBoxes(f"boxes_written_{query}", query)
    check_laws(form, example())
    assert oracle(form, [example()] * 12) == pytest.approx(best(form), abs=0.01)


def test_orders_and_names_are_drawn_and_said():
    form, drawn = WrittenBoxes("boxes_written_none", "none"), set()
    for seed in SEEDS:
        fields = made(form, example(), seed)
        (order,) = (o for o in ORDERS if f"{o}, " in fields["text_inputs"])
        named = NAMED in fields["text_inputs"]
        assert named != (UNNAMED in fields["text_inputs"]) and named == ("dog" in fields["text_targets"])
        drawn.add((order, named))
    assert len(drawn) == 2 * len(ORDERS)
    one = WrittenBoxes("boxes_written_class", "class")
    assert all(UNNAMED in made(one, example(), seed)["text_inputs"] for seed in SEEDS)


def test_boxes_in_one_order_are_wrong_in_another():
    form = WrittenBoxes("boxes_written_phrase", "phrase")
    fields = [made(form, example(), seed, training=False) for seed in SEEDS]
    plain = [f for f in fields if "x1 y1 width height" in f["text_inputs"]]
    other = [f for f in fields if "y1 x1 y2 x2" in f["text_inputs"]]
    swapped = [form.parse(one["text_targets"], other[0]) for one in plain]
    assert ACC50.total(swapped, [form.truth(one) for one in plain]) < 1.0


@pytest.mark.parametrize("ask", ASKS)
def test_laws_and_oracle_of_two_things(ask):
    form = TwoRegions(f"pairs_{ask}", ask)
    check_laws(form, example())
    assert oracle(form, [example()] * 40) == best(form)
    assert set(oracle(form, [example()] * 4, "both").values()) == {0.0}


def test_the_order_of_two_answers_counts():
    one, other = [0.1, 0.1, 0.5, 0.5], [0.4, 0.4, 0.9, 0.9]
    for metric in (BOTH50, IN_PLACE):

        def score(*values, metric=metric):
            return metric.total([{"values": np.reshape(values, (-1, 4))}], [{"values": [one, other]}])

        assert score(one, other) == 1.0
        assert score(other, one) == score() == 0.0
        assert score(one) == score(one, one) == 0.5
    assert score(one, other, other) == pytest.approx(2 / 3)


def test_comparisons_are_balanced_and_can_be_scored_as_options():
    for ask, options in (("which", {"1", "2"}), ("whether", {"yes", "no"})):
        form = TwoRegions(f"pairs_{ask}", ask)
        fields = [made(form, example(), seed, training=False) for seed in range(200)]
        assert all({*form.options(one)} == options for one in fields)
        for option in options:
            assert 0.35 < np.mean([one["text_targets"] == option for one in fields]) < 0.65


def test_which_is_larger_by_hand():
    two = example(boxes=[[0, 0, 0.2, 0.9], [0, 0, 0.6, 0.6]], names=[], phrases=["a bar", "a block"])
    right = {"larger": "a block", "smaller": "a bar", "wider": "a bar", "taller": "a block"}
    for seed in SEEDS:
        fields = made(TwoRegions("pairs_which", "which"), two, seed, training=False)
        prompt = fields["text_inputs"]
        first = "a bar" if prompt.index("a bar") < prompt.index("a block") else "a block"
        (more,) = (m for m in right if m in prompt)
        assert fields["text_targets"] == ("1" if first == right[more] else "2")


def test_boxes_that_are_alike_are_not_compared():
    alike = example(boxes=[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], names=[], phrases=["a", "b"])
    with pytest.raises(DataError, match="too alike"):
        made(TwoRegions("pairs_which", "which"), alike, training=False)


def test_two_things_must_be_there_and_known_apart():
    with pytest.raises(DataError, match="less than two"):
        made(TwoRegions("pairs_both"), example(phrases=["a", "a", "b"]))
    with pytest.raises(DataError, match="crowds"):
        made(RegionProperty("property_phrase"), example(crowd=[True] * 3))


@settings(deadline=None, max_examples=50)
@given(ANSWERS, st.sampled_from([1, 2, 4, 6]))
def test_whatever_a_model_writes_is_judged(answer, size):
    true = {"values": [[0.5] * size, [0.2] * size]}
    for metric in (WITHIN, IN_PLACE, *[BOTH50] * (size == 4)):
        assert 0.0 <= metric.total([found_values(answer, size)], [true]) <= 1.0


@settings(deadline=None, max_examples=50)
@given(ANSWERS)
def test_whatever_a_model_writes_is_judged_in_every_order(answer):
    form = WrittenBoxes("boxes_written_none", "none")
    for order in ORDERS:
        example = {"meta/truth": f'{{"order": "{order}", "named": true}}'}
        true = {"boxes": [[0.25, 0.25, 0.75, 0.75]], "labels": ["cat"]}
        for metric in form.metrics:
            assert 0.0 <= metric.total([form.parse(answer, example)], [true]) <= 1.0


def test_unknown_options_are_errors():
    with pytest.raises(ConfigError, match="region"):
        RegionProperty("property_class", "clas")
    with pytest.raises(ConfigError, match="'joint'"):
        TwoRegions("pairs_joint", "joined")
