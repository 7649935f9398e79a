"""Average precision against pycocotools, and the ready metrics of boxes."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation import boxes, coco, ranking
from unified_io.evaluation.boxes import ACC50, AP, AP50, AP75, FRAME_AP, GRIT, MEAN_IOU

LEFT, RIGHT = [0.0, 0.0, 10.0, 10.0], [0.0, 20.0, 10.0, 30.0]


def _made_up(seed, images=12, crowds=True):
    """Boxes of three classes, jittered, some missing, some invented, with scores that repeat."""
    rng = np.random.default_rng(seed)
    predictions, truths = [], []
    for _ in range(images):
        count = int(rng.integers(0, 6))
        corner = rng.random((count, 2)) * 200
        true = np.concatenate([corner, corner + 10 + rng.random((count, 2)) * 100], axis=1)
        labels = rng.choice(["cat", "dog", "cup"], count).tolist()
        truth = {"boxes": true, "labels": labels}
        if crowds:
            truth["crowd"] = rng.random(count) < 0.2
        keep = rng.random(count) < 0.8
        made = np.concatenate([true[keep] + rng.normal(0, 6, (int(keep.sum()), 4)), true[keep][:1]])
        made[:, 2:] = np.maximum(made[:, 2:], made[:, :2])
        names = [n for n, k in zip(labels, keep, strict=True) if k]
        names += [str(rng.choice(["cat", "dog"]))] * (len(made) - len(names))
        predictions.append({"boxes": made, "labels": names, "scores": rng.integers(1, 6, len(made)) / 5.0})
        truths.append(truth)
    truths[0] = {"boxes": [LEFT], "labels": ["cat"]}
    return predictions, truths


@pytest.mark.parametrize("seed", range(6))
def test_average_precision_is_that_of_coco(seed):
    pytest.importorskip("pycocotools")
    predictions, truths = _made_up(seed, crowds=seed % 2 == 0)
    theirs = coco.summary(predictions, truths)
    assert AP.total(predictions, truths) == pytest.approx(theirs["AP"], abs=1e-9)
    assert AP50.total(predictions, truths) == pytest.approx(theirs["AP50"], abs=1e-9)
    assert AP75.total(predictions, truths) == pytest.approx(theirs["AP75"], abs=1e-9)


def test_coco_without_scores_and_with_boxes_inside_out():
    pytest.importorskip("pycocotools")
    predictions, truths = _made_up(3)
    for made in predictions:
        del made["scores"]
    predictions[0] = {"boxes": [[10.0, 10.0, 0.0, 0.0], LEFT], "labels": ["cat", "cat"]}
    theirs = coco.summary(predictions, truths)
    assert AP.total(predictions, truths) == pytest.approx(theirs["AP"], abs=1e-9)


def test_coco_says_what_is_missing(monkeypatch):
    with pytest.raises(DataError, match="no example has a true box"):
        coco.summary([[]], [[]])
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    monkeypatch.setitem(sys.modules, "pycocotools.cocoeval", None)
    with pytest.raises(ConfigError, match=r"unified-io\[metrics\]"):
        coco.summary([[LEFT]], [[LEFT]])


def test_by_hand():
    truth = [{"boxes": [LEFT, RIGHT], "labels": ["cat", "cat"]}]
    assert AP.total(truth, truth) == 1.0
    # One of two found: precision 1 up to a recall of a half, which 51 of 101 levels lie at or under.
    assert AP50.total([{"boxes": [LEFT], "labels": ["cat"]}], truth) == pytest.approx(51 / 101)
    # A wrong one before the right one halves the precision.
    wrong_first = [{"boxes": [[50.0, 50.0, 60.0, 60.0], LEFT], "labels": ["cat", "cat"]}]
    assert AP50.total(wrong_first, truth) == pytest.approx(0.5 * 51 / 101)
    assert FRAME_AP.total(wrong_first, truth) == pytest.approx(0.25)  # the area: half of the recall, at .5
    assert AP50.total([{"boxes": [LEFT], "labels": ["dog"]}], truth) == 0.0


def test_a_class_counts_as_much_as_another():
    truths = [{"boxes": [LEFT, LEFT, RIGHT], "labels": ["cat", "cat", "dog"]}]
    assert AP.total([{"boxes": [RIGHT], "labels": ["dog"]}], truths) == 0.5


def test_the_second_box_on_one_thing_is_wrong():
    truth = [[LEFT]]
    assert AP.total([[LEFT, LEFT]], truth) == 1.0  # ranked behind, it costs nothing
    both = [[LEFT, RIGHT]]
    assert AP.total([[LEFT, LEFT, RIGHT]], both) < 1.0


def test_nothing_anywhere():
    assert AP.total([[]], [[]]) == 1.0
    assert AP.total([None], [[]]) == 1.0
    assert AP.total([[LEFT]], [[]]) == 0.0
    assert AP.total([[]], [[LEFT]]) == 0.0


def test_a_crowd_forgives():
    truth = [{"boxes": [LEFT, [0.0, 20.0, 100.0, 120.0]], "crowd": [False, True]}]
    inside = [0.0, 20.0, 10.0, 30.0]
    found = {"boxes": [inside, inside, LEFT], "scores": [0.9, 0.8, 0.7]}
    assert AP.total([found], truth) == 1.0
    assert AP.total([found], [[LEFT]]) < 0.5


def test_an_interval_of_a_set():
    predictions, truths = _made_up(1, images=20)
    found = AP.score(predictions, truths)
    assert found.interval[0] < found.score < found.interval[1]
    assert found.n == 20


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_more_right_is_never_worse_and_all_right_is_best(seed):
    predictions, truths = _made_up(seed, images=4, crowds=False)
    found = AP.total(predictions, truths)
    assert 0.0 <= found <= 1.0
    assert AP.total(truths, truths) == 1.0
    assert AP50.total(predictions, truths) >= AP75.total(predictions, truths)


def test_one_box():
    half = [0.0, 0.0, 10.0, 5.0]
    assert MEAN_IOU.total([[LEFT], [half], []], [[LEFT]] * 3) == pytest.approx(0.5)
    assert ACC50.total([[LEFT], [half], [], None], [[LEFT]] * 4) == 0.25  # a half is not more than a half
    assert ACC50.total([[RIGHT, LEFT]], [[LEFT]]) == 0.0  # the first counts
    assert ACC50.total([LEFT], [LEFT]) == 1.0  # a box alone is a list of one
    with pytest.raises(DataError, match="GRIT or AP"):
        ACC50.total([[LEFT]], [[LEFT, RIGHT]])


def test_all_boxes_of_a_class():
    assert GRIT.total([{"boxes": [LEFT, RIGHT]}], [{"boxes": [RIGHT, LEFT]}]) == 1.0
    assert GRIT.total([{"boxes": [LEFT]}], [{"boxes": [LEFT, RIGHT]}]) == 0.5
    assert GRIT.total([[], [LEFT]], [[], []]) == 0.5
    assert GRIT.total([[[10.0, 10.0, 0.0, 0.0]]], [[LEFT]]) == 0.0


def test_refuses_what_does_not_fit():
    for wrong in (
        {"boxes": [LEFT], "labels": ["a", "b"]},
        {"boxes": [LEFT], "scores": []},
        {"boxes": [[1.0, 2.0]]},
    ):
        with pytest.raises(DataError, match="y1, x1, y2, x2"):
            boxes.read(wrong)
    with pytest.raises(DataError, match="ends before it starts"):
        GRIT.total([[LEFT]], [[[1.0, 1.0, 0.0, 0.0]]])
    with pytest.raises(DataError, match="finite score"):
        AP.total([{"boxes": [LEFT], "scores": [np.nan]}], [[LEFT]])


def test_of_two_equals_the_last_is_taken_as_coco_does():
    found = ranking.judge(np.array([[0.6, 0.6], [0.0, 0.9]]), np.array([0.9, 0.8]), np.zeros(2, bool), (0.5,))
    assert found.hits.tolist() == [[True, False]]


def test_the_surest_hundred_count():
    overlap = np.eye(120)
    found = ranking.judge(overlap, np.linspace(0.0, 1.0, 120), np.zeros(120, bool), (0.5,))
    assert found.hits.shape == (1, 100)
    assert found.scores.min() == pytest.approx(20 / 119)
