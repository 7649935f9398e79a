"""DisCRn: pairs of things that are alike, questions that come back alike, and sides that change over as a whole."""

import re

import numpy as np
import pytest

from data_tasks.augmentation import discrn, log
from data_tasks.augmentation.contrasting import Contrasting, properties
from data_tasks.augmentation.contrasts import Contrast, Side, balanced
from data_tasks.augmentation.pairing import partners
from unified_io.dialog.turns import Medium, bot, user
from unified_io.errors import DataError

BELL, CAT = Side("7", "a bell rings", ("loud",)), Side("9", "a cat purrs", ("soft",))
LOUDER = Contrast("Which is louder?", 0, "Entity A is a bell, entity b a cat.", (BELL, CAT))


def _says(*answers):
    left = list(answers)
    return lambda prompt: left.pop(0)


def test_everything_changes_over_with_the_sides():
    other = LOUDER.swapped()
    assert other == Contrast("Which is louder?", 1, "Entity B is a bell, Entity A a cat.", (CAT, BELL))
    assert other.swapped().sides == LOUDER.sides and other.swapped().answer == 0
    media = {"audio": {"7": "bell.wav", "9": "cat.wav"}, "video": {"7": "bell.mp4", "9": "cat.mp4"}}
    first = LOUDER.dialog(("audio", "video"), media)
    second = other.dialog(("audio", "video"), media)
    bell, cat = Medium("audio", "bell.wav"), Medium("video", "cat.mp4")
    assert first.messages == (user(bell, cat, "Which is louder?"), bot("first"))
    assert second.messages == (
        user(Medium("audio", "cat.wav"), Medium("video", "bell.mp4"), "Which is louder?"),
        bot("second"),
    )


def test_a_medium_that_is_missing_is_named():
    with pytest.raises(DataError, match="no 'video' of '9'"):
        LOUDER.dialog(("audio", "video"), {"audio": {"7": "a", "9": "b"}})
    with pytest.raises(DataError, match="two modalities"):
        LOUDER.dialog(("audio", "audio"), {"audio": {"7": "a", "9": "b"}})


@pytest.mark.parametrize("answer", [0, 1])
def test_the_right_side_is_first_in_every_other_one(answer):
    given = [LOUDER if answer == 0 else LOUDER.swapped()] * 6
    found = balanced(given)
    assert [one.answer for one in found] == [0, 1] * 3
    assert all(one.sides[one.answer] == BELL for one in found)


def test_properties_are_the_last_of_a_list():
    assert properties("a bell", _says("It rings, so: Properties: Metallic, loud ,slow.")) == [
        "metallic",
        "loud",
        "slow",
    ]
    assert properties("a bell", _says("big, metallic\nloud, slow")) == ["metallic", "loud", "slow"]
    with pytest.raises(log.Dropped, match="too few properties"):
        properties("a bell", _says("loud, slow"))


WRITTEN = "Question: Which is louder? Answer: Entity A Explanation: Bells are loud.\n"


def test_a_question_that_comes_back_alike_is_kept():
    found = Contrasting()((BELL, CAT), _says(WRITTEN, "entity a."))
    assert found == Contrast("Which is louder?", 0, "Bells are loud.", (BELL, CAT))


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (["Which is louder? The bell."], "not written as asked"),
        ([WRITTEN.replace("louder", "in 3D")], "says what it must not"),
        ([WRITTEN.replace("Which", "Is Entity A or what")], "question names an entity"),
        ([WRITTEN.replace("Answer: Entity A", "Answer: the bell")], "answer names no entity"),
        ([WRITTEN.replace("Answer: Entity A", "Answer: Entity A or Entity B")], "answer names no entity"),
        ([WRITTEN, "Entity B"], "answers differ"),
        ([WRITTEN, "the bell"], "answers differ"),
    ],
)
def test_reasons_to_drop(answers, reason):
    with pytest.raises(log.Dropped, match=reason):
        Contrasting()((BELL, CAT), _says(*answers))


def test_partners_are_among_the_nearest_and_never_oneself():
    rng = np.random.default_rng(0)
    angles = np.linspace(0, np.pi / 2, 40)
    points = np.stack([np.cos(angles), np.sin(angles)], -1) * rng.uniform(0.1, 9, (40, 1))
    for seed in range(20):
        found = partners(points, np.random.default_rng(seed), candidates=100, nearest=4)
        assert (found != np.arange(40)).all()
        near = np.argsort(-np.cos(angles[:, None] - angles[None]), axis=-1, kind="stable")[:, 1:5]
        assert all(found[i] in near[i] for i in range(5, 35))
    few = partners(points, np.random.default_rng(0), candidates=5, nearest=1)
    assert (np.abs(few - np.arange(40)) > 4).any(), "of few candidates the nearest may be far"
    assert {*partners(points[:2], np.random.default_rng(0))} == {0, 1}
    with pytest.raises(DataError, match="two or more"):
        partners(points[:1], rng)
    with pytest.raises(DataError, match="none zero"):
        partners(np.zeros((3, 2)), rng)


class Model:
    """Says that the thing with the longer caption is the answer."""

    def __init__(self):
        self.asked = 0

    def __call__(self, prompt):
        self.asked += 1
        if "three properties" in prompt:
            return "Properties: one, two, three"
        a, b = re.findall(r"Entity [AB]: (.+?)\. Properties", prompt)[-2:]
        name = "Entity A" if len(a) > len(b) else "Entity B"
        if prompt.endswith("Answer with Entity A or Entity B."):
            return name
        return f"Question: Which is longer? Answer: {name} Explanation: {name} has more words."


def test_all_steps_and_again_without_a_question(tmp_path):
    captions = {str(i): "thing" * (i + 1) for i in range(8)}
    model = Model()
    embed = lambda texts: np.array([[len(text), 10.0] for text in texts])  # noqa: E731
    counts = discrn.build(captions, model, embed, tmp_path, nearest=3)
    assert counts["properties.jsonl"] == {"kept": 8} and counts["contrasts.jsonl"] == {"kept": 8}
    found = discrn.read(tmp_path)
    assert [one.answer for one in found] == [i % 2 for i in range(8)]
    for one in found:
        lengths = [len(side.caption) for side in one.sides]
        assert lengths[one.answer] == max(lengths)
        assert one.explanation == f"Entity {'AB'[one.answer]} has more words."
    asked = model.asked
    assert discrn.build(captions, model, embed, tmp_path, nearest=3) == counts
    assert model.asked == asked == 8 * 3
    (tmp_path / discrn.CONTRASTS).unlink()
    assert discrn.build(captions, model, embed, tmp_path, nearest=3) == counts
    assert discrn.read(tmp_path) == found
