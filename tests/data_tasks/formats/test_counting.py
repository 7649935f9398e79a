"""Numbers of things, asked outright or as a gap."""

import pytest

from data_tasks.formats.counting import COUNT, OFF, Count
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, raw
from unified_io.errors import DataError

NAMES = ["cup", "dog", "cup", "cup"]
BOXES = [[0.1 * n, 0.1, 0.1 * n + 0.1, 0.3] for n in range(4)]


def scene(**other):
    return raw(**{"image": picture(), "boxes": BOXES, "names": NAMES, **other})


def test_laws():
    check_laws(Count("count"), scene())
    check_laws(Count("count_masked", masked=True), scene())


@pytest.mark.parametrize("form", [Count("count"), Count("count_masked", masked=True)])
def test_the_true_number_scores_best_and_another_less(form):
    assert oracle(form, [scene()] * 4) == best(form)
    assert oracle(form, [scene()] * 4, "9")[COUNT.name] == 0.0
    assert oracle(form, [scene()] * 4, "many")[OFF.name] > 0.0


def test_the_number_is_that_of_the_class_asked_for():
    counts = {}
    for seed in range(30):
        fields = made(Count("count"), scene(classes=["cup", "dog", "cat"]), seed)
        name = next(name for name in ("cup", "dog", "cat") if name in fields["text_inputs"])
        counts[name] = fields["text_targets"]
    assert counts == {"cup": "3", "dog": "1", "cat": "0"}


def test_a_gap_is_named_by_its_sentinel():
    form = Count("count_masked", masked=True)
    fields = made(form, scene())
    assert "<extra_id_0>" in fields["text_inputs"]
    assert fields["text_targets"] in ("<extra_id_0> 3", "<extra_id_0> 1")
    assert form.parse("<extra_id_0> three", fields) == 3


def test_all_of_the_picture_is_shown_in_training_too():
    for seed in range(5):
        assert made(Count("count"), scene(), seed)["image_input_masks"].sum() == 24 * 36


def test_crowds_are_not_counted():
    for seed in range(10):
        fields = made(Count("count"), scene(crowd=[True, False, False, False]), seed)
        assert "dog" in fields["text_inputs"] and fields["text_targets"] == "1"


def test_what_can_not_be_counted_is_refused():
    with pytest.raises(DataError, match="names has 0 entries for 4 boxes"):
        made(Count("count"), scene(names=[]))
    with pytest.raises(DataError, match="no class that can be counted"):
        made(Count("count"), scene(boxes=[], names=[]))
    assert made(Count("count"), scene(boxes=[], names=[], classes=["cat", "cup"]))["text_targets"] == "0"
