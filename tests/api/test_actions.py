"""Plans and steps: numbers in metres and radians, words that are allowed."""

import numpy as np
import pytest

from unified_io.api.actions import NAVIGATION, read_plan
from unified_io.errors import ConfigError
from unified_io.vocab import location_word


def pose(x: int, y: int, r: int) -> str:
    return f"( {location_word(x)} {location_word(y)} {location_word(r)} )"


def test_poses_are_metres_on_the_table_and_radians():
    text = (
        f"1: pick from {pose(0, 0, 0)} and place to {pose(999, 999, 333)} 2: push from {pose(333, 666, 999)}"
    )
    plan = read_plan(text)
    (pick, place), (push,) = plan.steps
    assert (pick.words, pick.x, pick.y, pick.rotation) == ("pick from", 0.25, -0.5, 0.0)
    assert (place.words, place.x, place.y) == ("and place to", 0.75, 0.5)
    assert place.rotation == pytest.approx(2 * np.pi / 3)
    assert (push.x, push.y) == pytest.approx((0.25 + 0.5 / 3, -0.5 + 2 / 3))
    assert push.rotation == pytest.approx(2 * np.pi) and plan.skipped == ()


def test_what_is_no_pose_is_left_out_and_named():
    broken = f"go to ( {location_word(1)} {location_word(2)} ) then {pose(1, 2, 3)} <extra_id_5> well"
    plan = read_plan(broken)
    assert len(plan.steps) == 1 and plan.steps[0][0].words == "then"
    assert len(plan.skipped) == 2 and "go to" in plan.skipped[0] and "well" in plan.skipped[1]
    sentinels = read_plan("pick ( <extra_id_1> <extra_id_2> <extra_id_3> )")
    assert sentinels.steps == () and len(sentinels.skipped) == 1
    assert read_plan("").steps == () and read_plan("nothing (to) do").skipped == ("nothing (to) do",)


def test_a_plan_survives_the_vocabulary(model, picture, told):
    text = f"1: pick from {pose(10, 20, 30)} and place to {pose(40, 50, 60)}"
    script = told(text, "no")
    plans = model.act(["stack the blocks", "wait"], image=picture)
    assert plans[0].steps == read_plan(text).steps and plans[0].text == text
    assert plans[1].steps == ()
    assert script.asked[0]["text_inputs"].endswith("stack the blocks")


def test_the_next_step_is_the_likeliest_of_four(model, picture, monkeypatch):
    asked = []

    def score(fields, choices, **options):
        asked.extend(fields)
        assert tuple(choices) == NAVIGATION
        return np.eye(4)[[1, 3]][: len(fields)]

    monkeypatch.setattr(model, "score_fields", score)
    assert model.navigate([0, 0, 0], [1, 2, 3], image=picture) == "left"
    assert model.navigate([0, 0, 0], [[50, -50, 0], [1, 2, 3]], image=picture) == ["left", "stop"]
    assert f"to {pose(499, 499, 0)}." in asked[0]["text_inputs"]
    assert pose(999, 0, 0) in asked[1]["text_inputs"]
    for place in ([0, 0], [0, 0, -1], [60, 0, 0], [np.nan, 0, 0]):
        with pytest.raises(ConfigError, match="place"):
            model.navigate(place, [0, 0, 0], image=picture)


def test_the_network_itself_chooses(model, picture):
    assert model.navigate([0, 0, 0], [1, 2, 3], image=picture) in NAVIGATION
