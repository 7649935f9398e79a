"""Acting: one word, a list of numbers or a plan; written within stated ranges and read back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tasks.formats.act import Act, history
from data_tasks.formats.act_augmented import GoalImage, NameGoal, NextState, Reasonable
from data_tasks.formats.command import NUMBERS, PLACE, Command
from data_tasks.formats.program import PLAN, read_program, write_program
from tests.data_tasks.formats import painting
from tests.data_tasks.formats.painting import gradient
from tests.data_tasks.formats.wording import SEEDS, best, check_laws, made, oracle, raw
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.text import EXACT
from unified_io.structures import text_to_values

REACH = Command((-0.1, -0.1, 0.0), (0.1, 0.3, 1.0))
POSES = [
    [["pick from", 0.3, -0.2, 0.0], ["place to", 0.7, 0.4, 3.1]],
    [["push from", 0.5, 0.0, 1.0], ["push to", 0.5, 0.3, 6.2]],
]
GO = Act("act_words")
MOVE = Act("act_numbers", "numbers", REACH)
PLAN_FORM = Act("act_program", "program")


def episode(actions, count=3, goal="Reach the  door", **other):
    return raw(
        images=[gradient() * (n + 1) / count for n in range(count)], goal=goal, actions=actions, **other
    )


WALK = episode(
    ["left", "Forward", "forward"],
    states=[[0, 0, 0], [1, -50, 7.0], [2, 3, 6]],
    classes=["left", "right", "forward", "stop"],
)
REACHING = episode([[0.0, 0.1, 1.0], [0.05, 0.3, 0.0], [-0.1, 0.2, 1.0]])
EXAMPLES = {
    "words": (GO, WALK),
    "numbers": (MOVE, REACHING),
    "poses": (PLAN_FORM, episode(POSES)),
    "steps": (PLAN_FORM, episode(["Go in", "take the cup", "leave"])),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_laws(name):
    check_laws(*EXAMPLES[name])


@pytest.mark.parametrize("name", EXAMPLES)
def test_oracle(name):
    form, example = EXAMPLES[name]
    # A number read back lies within half a bin of that written.
    assert oracle(form, [example] * 3) == pytest.approx(best(form), abs=0.001)


@pytest.mark.parametrize(
    "answer", ["", "dance", "<extra_id_200>", "1: ( <extra_id_3> )", "7:", "\x00 <extra_id_900> [("]
)
@pytest.mark.parametrize("name", EXAMPLES)
def test_nonsense_scores_nothing(name, answer):
    form, example = EXAMPLES[name]
    assert oracle(form, [example] * 2, answer) == {m.name: m.worst for m in form.metrics}


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_numbers_come_back(parts):
    low, high = np.array(REACH.low), np.array(REACH.high)
    values = np.clip(low + np.array(parts) * (high - low), low, high)
    back = REACH.read(REACH.write(values))
    np.testing.assert_allclose(back, values, atol=(high - low).max() * 0.00051)
    np.testing.assert_allclose(REACH.scaled(values), parts, atol=1e-6)


def test_numbers_out_of_range_are_refused():
    for values in ([0.2, 0, 0], [0, 0], "word", [0, 0, np.nan], [[0], [0], [0]]):
        with pytest.raises(DataError, match="numbers"):
            REACH.write(values)
    assert REACH.read("<extra_id_200> <extra_id_300>") is None
    with pytest.raises(ConfigError, match="less"):
        Command((0.0,), (0.0,))
    with pytest.raises(ConfigError, match="as many"):
        Command((0.0, 1.0), (2.0,))


def test_action_distance_by_hand():
    assert NUMBERS.each([0.0, 0.5], [0.5, 0.5]) == 0.25
    assert NUMBERS.each(None, [0.5]) == NUMBERS.each([0.5], [0.5, 0.5]) == 1.0


def test_history_tells_places_and_actions_up_to_now():
    parts = history(WALK, 5).split()
    assert [p for p in parts if "image" in p] == ["<image_history_1>", "<image_history_2>", "<image_input>"]
    assert [p for p in parts if p.isalpha()] == ["left", "forward"]
    places = text_to_values(history(WALK, 5), 3).values
    np.testing.assert_allclose(places * 100 - 50, [[0, 0, -50], [1, -50, -38.6], [2, 3, 45.5]], atol=0.11)
    assert history(WALK, 1).startswith("<image_input> ( ") and "left" not in history(WALK, 1)
    np.testing.assert_allclose(PLACE.high, [50, 50, 2 * np.pi])


def test_places_beyond_50_metres_are_refused():
    with pytest.raises(DataError, match="50"):
        made(GO, {**WALK, "states": np.array([[0, 0, 0], [51, 0, 0], [0, 0, 0]], np.float32)})


def test_the_target_is_the_action_of_the_current_picture():
    fields = made(GO, WALK)
    assert fields["text_targets"] == "forward" and "reach the door" in fields["text_inputs"]
    assert len(fields["image_history_inputs"]) == 2
    assert json.loads(fields["meta/options"]) == ["left", "right", "forward", "stop"]
    assert made(MOVE, REACHING)["text_targets"] == REACH.write([-0.1, 0.2, 1.0])
    later = {**WALK, "actions": [*WALK["actions"], "stop"]}
    assert made(GO, later)["text_targets"] == "forward"


def test_a_plan_sees_the_first_picture_only():
    fields = made(PLAN_FORM, episode(POSES), training=False)
    assert fields.get("image_history_inputs") is None
    np.testing.assert_allclose(fields["image_inputs"][4:-4], gradient() / 3, rtol=1e-6)
    assert (
        fields["text_targets"].startswith("1: pick from ( <")
        and " 2: push from ( <" in fields["text_targets"]
    )


@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["pick from", "push to", "put in box"]),
                st.floats(0.25, 0.75),
                st.floats(-0.5, 0.5),
                st.floats(0, 6.28),
            ),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_plans_of_poses_come_back(steps):
    steps = [[list(pose) for pose in step] for step in steps]
    back = read_program(write_program(steps))
    assert [[pose[0] for pose in step] for step in back] == [[pose[0] for pose in step] for step in steps]
    for mine, yours in zip(back, steps, strict=True):
        for (_, *made_), (_, *true) in zip(mine, yours, strict=True):
            np.testing.assert_allclose(made_, true, atol=2 * np.pi / 999)
    assert PLAN.each(back, steps) == 1.0


@given(st.lists(st.sampled_from(["go", "turn left", "take the cup"]), min_size=1, max_size=12))
def test_plans_of_words_come_back(steps):
    assert read_program(write_program(steps)) == steps


def test_plans_are_judged_step_by_step():
    steps = ["go", "turn", "stop"]
    assert PLAN.each(["go", "left", "stop"], steps) == pytest.approx(2 / 3)
    assert PLAN.each(["go"], steps) == pytest.approx(1 / 3)
    assert PLAN.each([*steps, "more"], steps) == 0.75
    assert PLAN.each([], steps) == PLAN.each(POSES, steps) == 0.0
    turned = [[["pick from", 0.3, -0.2, 6.28], ["place to", 0.7, 0.4, 3.1]], POSES[1]]
    assert PLAN.each(turned, POSES) == 1.0  # a full turn is none
    off = [[["pick from", 0.32, -0.2, 0.0], ["place to", 0.7, 0.4, 3.1]], POSES[1]]
    assert PLAN.each(off, POSES) == 0.5
    assert PLAN.each([POSES[0][:1], POSES[1]], POSES) == 0.5


def test_refuses_what_does_not_fit():
    for actions in ([], [["pick from", 0.3]], [[3, 4]], [[["pick from", 9.0, 0.0, 0.0]]]):
        with pytest.raises(DataError, match="action|step|numbers"):
            made(PLAN_FORM, episode(actions))
    with pytest.raises(DataError, match="actions has 2 for 3"):
        made(GO, episode(["left", "left"]))
    with pytest.raises(DataError, match="goal"):
        made(GO, episode(["left"] * 3, goal=" "))
    with pytest.raises(DataError, match="images"):
        made(GO, episode([], 0))
    with pytest.raises(DataError, match="no words"):
        made(GO, episode([[1.0], [2.0], [3.0]]))
    with pytest.raises(ConfigError, match="action space"):
        Act("act_words", "wrds")
    with pytest.raises(ConfigError, match="command"):
        Act("act_numbers", "numbers")


def test_the_task_of_a_trajectory():
    form = NameGoal("name_goal")
    check_laws(form, WALK)
    assert made(form, WALK)["text_targets"] == "reach the door"
    examples = [episode([], goal=goal) for goal in ("reach the door", "take a red cup", "go home")]
    assert oracle(form, examples)[EXACT.name] == 1.0
    assert oracle(form, examples, "sing")[EXACT.name] == 0.0


def test_reasonable_is_yes_for_what_was_done_only():
    form = Reasonable("reasonable")
    check_laws(form, WALK)
    assert oracle(form, [WALK] * 4) == {EXACT.name: 1.0}
    answers = []
    for seed in range(60):
        fields = made(form, WALK, seed)
        asked = fields["text_inputs"].split("[S] ")[1]
        assert (fields["text_targets"] == "yes") == ("forward" in asked)
        answers.append(fields["text_targets"])
    assert 15 < answers.count("yes") < 45
    with pytest.raises(DataError, match="classes"):
        made(form, {**WALK, "classes": ["forward"], "actions": ["forward"] * 3})
    with pytest.raises(DataError, match="2 actions for 3"):
        made(form, {**WALK, "actions": ["forward"] * 2})


def test_where_an_action_leads():
    form = NextState("next_state")
    example = {**WALK, "states": np.array([[0, 0, 0], [1, -50, 7.0], [2, 3, 6], [4, 5, -1]], np.float32)}
    check_laws(form, example)
    assert oracle(form, [example] * 3)[NUMBERS.name] == pytest.approx(0.0, abs=0.0006)
    assert oracle(form, [example], "there")[NUMBERS.name] == 1.0
    fields = made(form, example)
    np.testing.assert_allclose(PLACE.read(fields["text_targets"]), [4, 5, 2 * np.pi - 1], atol=0.06)
    assert "left" in fields["text_inputs"] and fields["text_inputs"].count("forward") == 2
    with pytest.raises(DataError, match="one more"):
        made(form, WALK)


def test_goal_images_show_the_end():
    form = GoalImage("goal_image")
    painting.check_laws(form, WALK)
    assert painting.oracle(form, [WALK] * 2) == pytest.approx(painting.best(form))
    for seed in SEEDS[:2]:
        fields = made(form, WALK, seed)
        np.testing.assert_allclose(form.truth(fields), gradient())
        np.testing.assert_allclose(fields["image_inputs"], fields["image_targets"] / 3, rtol=1e-5)
    with pytest.raises(DataError, match="fewer than 2"):
        made(form, episode([], 1))
