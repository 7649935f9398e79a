"""Body parts: all 17, or some by name."""

import json

import numpy as np
import pytest
from hypothesis import given, settings

from data_tasks.formats.keypoints import MOST, PARTS_RIGHT, FindKeypoints
from tests.data_tasks.formats.garbage import ANSWERS
from tests.data_tasks.formats.wording import check_laws, made, oracle, picture, raw
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.keypoints import OKS
from unified_io.structures import COCO_PARTS, MISSING, keypoints_to_text, text_to_keypoints

SEEDS = range(40)
ALL, SOME = FindKeypoints("keypoints_all"), FindKeypoints("keypoints_some", "some")


def person(seed=0, top=0.2, left=0.3, height=0.6, width=0.4, hidden=(1, 16)):
    """A box and points in it; hidden ones lie at 0, as in COCO."""
    points = np.random.default_rng(seed).uniform(0.05, 0.95, (17, 2)) * [height, width] + [top, left]
    keypoints = np.concatenate([points, np.full((17, 1), 2.0)], axis=1)
    keypoints[list(hidden)] = 0
    return [top, left, top + height, left + width], keypoints


def example(*persons, **fields):
    boxes, keypoints = zip(*(persons or [person(), person(1, 0.1, 0.1, 0.8, 0.5)]), strict=True)
    return raw(**{"image": picture(40, 60), "boxes": boxes, "keypoints": np.stack(keypoints), **fields})


def test_laws_and_oracle():
    for form in (ALL, SOME):
        check_laws(form, example())
    # A bin is a thousandth of the square, an eye's sigma a fortieth of a person that takes a third of it.
    assert oracle(ALL, [example()] * 8)["oks"] > 0.985
    assert oracle(SOME, [example()] * 20) == {"parts_right": 1.0}
    assert oracle(ALL, [example()] * 2, "nobody") == {"oks": 0.0}
    assert oracle(SOME, [example()] * 2, "nobody") == {"parts_right": 0.0}


def test_parts_are_written_in_order_and_hidden_ones_are_missing():
    fields = made(ALL, example(person()), training=False)
    words = fields["text_targets"]
    places = [words.index(f" {part}") for part in COCO_PARTS]
    assert places == sorted(places) and words.count(MISSING) == 2
    assert f"{MISSING} left eye" in words and f"{MISSING} right ankle" in words
    assert ALL.truth(fields)[0][1] == [0, 0, 0]


def test_missing_parts_are_read_at_the_mean_of_the_others():
    fields = made(ALL, example(person()), training=False)
    (points,) = ALL.parse(fields["text_targets"], fields)
    seen = np.delete(points, [1, 16], axis=0)
    np.testing.assert_allclose(np.array(points)[[1, 16]], [seen.mean(axis=0)] * 2, atol=1e-5)


def test_what_is_cropped_away_is_missing():
    one, counts = example(person(0, 0.0, 0.0, 1.0, 1.0, ())), set()
    for seed in SEEDS:
        fields = made(ALL, one, seed)
        found = text_to_keypoints(fields["text_targets"])
        np.testing.assert_array_equal(found.visible, np.array(ALL.truth(fields)[0])[:, 2] > 0)
        counts.add(fields["text_targets"].count(MISSING))
    assert 0 in counts and len(counts) > 3


def test_points_lie_on_the_picture_that_is_shown():
    box, keypoints = person(0, 0.0, 0.0, 1.0, 1.0, ())
    image = np.zeros((40, 60, 3), np.float32)
    y, x = np.floor(keypoints[:, :2] * [40, 60]).astype(int).T
    keypoints[:, :2] = (np.stack([y, x], axis=1) + 0.5) / [40, 60]
    image[y, x, 0] = 1
    for seed in SEEDS:
        fields = made(ALL, example((box, keypoints), image=image), seed)
        shown, true = fields["image_inputs"][..., 0], np.array(ALL.truth(fields)[0])
        rows, columns = np.floor(true[true[:, 2] > 0, :2] * len(shown)).astype(int).T
        assert (shown[rows, columns] == 1).all()


def test_some_parts_are_one_to_five_and_one_of_them_is_there():
    counts, hidden = set(), 0
    for seed in range(80):
        fields = made(SOME, example(person(hidden=range(10))), seed, training=False)
        truth = SOME.truth(fields)
        counts.add(len(truth["parts"]))
        hidden += not all(truth["visible"])
        assert any(truth["visible"]) and truth["parts"] == [p for p in COCO_PARTS if p in truth["parts"]]
        assert ", ".join(truth["parts"]) in fields["text_inputs"]
    assert counts == set(range(1, MOST + 1)) and hidden > 10


def test_named_parts_are_right_where_they_are_near_or_said_to_be_hidden():
    truth = {"points": [[0.5, 0.5], [0, 0]], "visible": [True, False], "parts": ["nose", "left ear"]}
    example = {"meta/truth": json.dumps({**truth, "box": [0.2, 0.2, 0.8, 0.7]})}

    def score(points, visible):
        answer = keypoints_to_text(points, visible, truth["parts"])
        return PARTS_RIGHT.total([SOME.parse(answer, example)], [SOME.truth(example)])

    assert score([[0.55, 0.5], [0, 0]], [True, False]) == 1.0
    assert score([[0.57, 0.5], [0, 0]], [True, False]) == 0.5  # 0.06 is near for a person of 0.6
    assert score([[0.5, 0.5], [0.1, 0.1]], [True, True]) == 0.5
    assert score([[0, 0], [0, 0]], [False, False]) == 0.5


def test_a_person_that_can_not_be_scored_is_not_asked_for():
    hidden = person(hidden=range(16))
    with pytest.raises(DataError, match="two body parts"):
        made(ALL, example(hidden))
    for seed in SEEDS:  # the other one is
        assert made(ALL, example(hidden, person(1, 0.1, 0.1, 0.8, 0.5)), seed, training=False)
    with pytest.raises(DataError, match="boxes"):
        made(ALL, example(boxes=np.zeros((0, 4))))


@settings(deadline=None, max_examples=50)
@given(ANSWERS)
def test_whatever_a_model_writes_is_judged(answer):
    fields = {form: made(form, example(), training=False) for form in (ALL, SOME)}
    for form, metric in ((ALL, OKS), (SOME, PARTS_RIGHT)):
        found = form.parse(answer, fields[form])
        assert 0.0 <= metric.total([found], [form.truth(fields[form])]) <= 1.0


def test_an_unknown_choice_is_an_error():
    with pytest.raises(ConfigError, match="body parts"):
        FindKeypoints("keypoints_all", "none")
