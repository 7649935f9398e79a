"""Plans whose goals speak of things by pictures, phrases and places; a plan is read whatever stands before it."""

import numpy as np
import pytest

from data_tasks.formats.act_prompted import THINGS, PromptedPlan
from data_tasks.formats.program import PLAN
from tests.data_tasks.formats.painting import gradient
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, raw
from unified_io.errors import ConfigError, DataError
from unified_io.structures import boxes_to_text, text_to_boxes

POSES = [[["pick from", 0.3, -0.2, 0.0], ["place to", 0.7, 0.4, 3.1]]]
FORMS = [
    *(PromptedPlan("act_program", things=things) for things in THINGS),
    PromptedPlan("act_find", find=True),
]
BOX = [[0.25, 0.25, 0.5, 0.5]]


def task(**other):
    fields = {
        "images": [gradient(8, 8), gradient(10, 6), gradient(32, 32)],
        "goal": "Put {Dragged} on {base}",
        "actions": POSES,
        "names": ["dragged", "base"],
        "phrases": ["red block", "wooden pan"],
        "boxes": [*BOX, [0.0, 0.0, 0.0, 0.0]],
    }
    return raw(**(fields | other))


def asked(form, **other):
    return made(form, task(**other))["text_inputs"].lower()


@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_laws_and_oracle(form):
    check_laws(form, task())
    # A number read back lies within half a bin of that written.
    assert oracle(form, [task()] * 2) == pytest.approx(best(form), abs=0.001)
    assert oracle(form, [task()] * 2, "1: sit down")[PLAN.name] == 0.0


def test_things_are_spoken_of_by_what_is_asked():
    pictures, phrases, boxes, both = (asked(form) for form in FORMS[:-1])
    place = boxes_to_text(np.array(BOX))
    assert "put <image_history_1> on <image_history_2>" in pictures
    assert "put the red block on the wooden pan" in phrases
    assert f"put the thing at {place} on the wooden pan" in boxes, "what is not in the scene has no place"
    assert f"put <image_history_1> at {place} on <image_history_2>" in both


@pytest.mark.parametrize("form", FORMS, ids=repr)
def test_things_are_shown_only_where_the_goal_shows_them(form):
    fields = made(form, task())
    assert len(fields["image_history_inputs"] or []) == (2 if form.things in ("pictures", "both") else 0)
    assert fields["image_inputs"].shape == (32, 32, 3)


def test_what_is_in_the_scene_is_found_before_the_plan():
    form = FORMS[-1]
    fields = made(form, task())
    found = text_to_boxes(fields["text_targets"].partition(" 1: ")[0])
    assert list(found.labels) == ["red block"]
    assert np.allclose(found.boxes, BOX, atol=0.002)
    assert form.parse(fields["text_targets"], fields)[0][0][0] == "pick from"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"names": ["dragged", "pan"]}, "'base'"),
        (
            {"phrases": ["red block"] * 3, "boxes": BOX * 3, "names": ["dragged", "base", "tool"]},
            "2 pictures",
        ),
        ({"images": []}, "0 pictures"),
        (
            {"images": [gradient(8, 8)] * 6, "names": ["a"] * 5, "phrases": ["a"] * 5, "boxes": BOX * 5},
            "at most 4",
        ),
    ],
)
def test_what_does_not_fit_is_named(other, said):
    with pytest.raises(DataError, match=said):
        made(FORMS[0], task(**other))


def test_another_way_to_speak_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'pictures'"):
        PromptedPlan("act_program", things="picture")
