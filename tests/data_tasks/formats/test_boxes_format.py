"""Finding boxes: what is asked, what is answered, and what is read back of it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings

from data_tasks.formats.boxes import OVERLAP, QUERIES, FindBoxes
from tests.data_tasks.formats.garbage import ANSWERS
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, piped, raw, sound
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.boxes import iou
from unified_io.structures import boxes_to_text, text_to_boxes

BOXES = [[0.1, 0.2, 0.5, 0.6], [0.3, 0.5, 0.8, 0.9], [0.4, 0.1, 0.9, 0.45], [0.2, 0.3, 0.7, 0.8]]
NAMES = ["cat", "dog", "cat", "big  tree"]
PHRASES = ["the left cat", "a dog", "the right cat", "a tree"]
SEEDS = range(40)


def example(**fields):
    given = {
        "image": picture(40, 60),
        "images": [picture(40, 60, seed) for seed in range(3)],
        "audio": sound(),
        "boxes": BOXES,
        "names": NAMES,
        "phrases": PHRASES,
    }
    return raw(**{**given, **fields})


def form(query):
    return FindBoxes(f"boxes_{query}", query)


def truth(fields):
    return json.loads(fields["meta/truth"])


@pytest.mark.parametrize("query", QUERIES)
def test_laws_and_oracle(query):
    check_laws(form(query), example())
    # 40 pixels of 60 are 670 bins: boxes lose well under a hundredth, and no threshold of AP lies there.
    assert oracle(form(query), [example()] * 8) == pytest.approx(best(form(query)), abs=0.01)
    assert max(oracle(form(query), [example()] * 8, "no idea").values()) == 0.0


@pytest.mark.parametrize(("side", "ceiling"), [(8, 0.954), (16, 0.976), (32, 0.988), (64, 0.994)])
def test_what_bins_cost_small_boxes(side, ceiling):
    """The mean IoU of written and read boxes on a square of 384 pixels: facts on coordinates as text."""
    corners = np.random.default_rng(0).uniform(0, 384 - side, (400, 2))
    boxes = np.concatenate([corners, corners + side], axis=1) / 384
    read = [form("class").parse(boxes_to_text(box[None]), {})["boxes"] for box in boxes]
    assert np.mean([iou(r, b[None]) for r, b in zip(read, boxes, strict=True)]) == pytest.approx(
        ceiling, abs=3e-3
    )


def test_a_class_is_answered_by_all_its_boxes():
    asked = {}
    for seed in SEEDS:
        fields = made(form("class"), example(), seed, training=False)
        name = next(n for n in ("cat", "dog", "big tree") if n in fields["text_inputs"])
        asked.setdefault(name, set()).add(len(truth(fields)["boxes"]))
        assert truth(fields)["labels"] == [""] * len(truth(fields)["boxes"])
    assert asked == {"cat": {2}, "dog": {1}, "big tree": {1}}


def test_classes_are_one_to_four_of_the_closed_set_and_one_of_them_is_there():
    closed = ["cat", "dog", "big tree", "car", "cup", "hat"]
    counts, absent = set(), False
    for seed in range(80):
        fields = made(form("classes"), example(classes=closed), seed, training=False)
        asked = [name for name in closed if name in fields["text_inputs"]]
        counts.add(len(asked))
        labels = truth(fields)["labels"]
        assert labels and {*labels} == {*asked} & {"cat", "dog", "big tree"}
        assert labels.count("cat") == 2 * ("cat" in asked)
        absent |= bool({*asked} & {"car", "cup", "hat"})
    assert counts == {1, 2, 3, 4} and absent


def test_a_phrase_is_answered_by_one_box_and_must_mean_one():
    drawn = {tuple(truth(made(form("phrase"), example(), seed))["labels"]) for seed in SEEDS}
    assert drawn == {("",)}
    twice = example(phrases=["a cat", "a cat", "a dog", "a dog"])
    with pytest.raises(DataError, match="one box alone"):
        made(form("phrase"), twice)
    once = example(phrases=["a cat", "a cat", "a dog", "a cat"])
    assert all("a dog" in made(form("phrase"), once, seed)["text_inputs"] for seed in SEEDS)


def test_boxes_are_in_random_order_in_training_only():
    whole = example()
    answers = {text_to_boxes(made(form("none"), whole, seed)["text_targets"]).labels[0] for seed in SEEDS}
    assert len(answers) == 3
    steady = {made(form("none"), whole, seed, training=False)["text_targets"] for seed in SEEDS}
    assert len(steady) == 1


def test_the_order_of_an_answer_costs_nothing():
    fields = made(form("none"), example(), training=False)
    found = text_to_boxes(fields["text_targets"])
    turned = boxes_to_text(found.boxes[::-1], found.labels[::-1])
    here, there = (form("none").parse(text, fields) for text in (fields["text_targets"], turned))
    true = form("none").truth(fields)
    for metric in form("none").metrics:
        assert metric.total([here], [true]) == pytest.approx(metric.total([there], [true]))


def test_crowds_are_left_out():
    fields = made(form("none"), example(crowd=[True, False, False, False]), training=False)
    assert truth(fields)["labels"] == ["dog", "cat", "big tree"]
    with pytest.raises(DataError, match="crowds"):
        made(form("none"), example(crowd=[True] * 4))


def test_an_example_without_a_box_to_be_seen_is_an_error():
    with pytest.raises(DataError, match="none of 0 boxes"):
        made(form("none"), raw(image=picture(), boxes=np.zeros((0, 4)), names=[]))
    with pytest.raises(DataError, match="too thin"):
        made(form("none"), raw(image=picture(), boxes=[[0.2, 0.2, 0.8, 0.2]], names=["line"]))
    with pytest.raises(DataError, match="0 names for 4 boxes"):
        made(form("none"), example(names=[]))
    corner = raw(image=picture(40, 60), boxes=[[0.0, 0.0, 0.02, 0.02]], names=["dot"])
    errors = 0
    for seed in SEEDS:
        try:
            made(form("class"), corner, seed)
        except DataError:
            errors += 1
    assert 0 < errors < len(SEEDS)  # some crops have it


def test_a_box_covers_its_object_on_the_picture_that_is_shown():
    image = np.zeros((40, 60, 3), np.float32)
    image[10:22, 31:47] = 1
    one = raw(image=image, boxes=[[10 / 40, 31 / 60, 22 / 40, 47 / 60]], names=["block"])
    checked = 0
    for seed in SEEDS:
        try:
            fields = made(form("class"), one, seed)
        except DataError:
            continue
        shown = fields["image_inputs"][..., 0] > 0
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        tight = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]) / len(shown)
        np.testing.assert_allclose(text_to_boxes(fields["text_targets"]).boxes[0], tight, atol=2 / 999)
        np.testing.assert_allclose(truth(fields)["boxes"][0], tight, atol=1e-5)
        checked += 1
    assert checked > 20


def test_actions_are_found_in_the_last_frame_and_frames_are_cut_alike():
    fields = made(form("action"), example(), training=True)
    assert len(fields["image_history_inputs"]) == 2
    assert fields["image_history_inputs"][0].shape == fields["image_inputs"].shape


def test_a_sound_is_given_beside_the_picture():
    fields = piped(form("sound"), example())
    np.testing.assert_array_equal(fields["audio_inputs"], sound())
    assert fields["image_inputs"].size


def test_repetitions_of_a_label_count_once():
    box, near, other = [0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.51], [0.1, 0.1, 0.5, 0.9]
    assert iou([box], [near]) > OVERLAP > iou([box], [other])
    said = boxes_to_text(
        [box, near, other, near, [0.5, 0.5, 0.2, 0.9]], ["cat", " cat ", "cat", "dog", "cat"]
    )
    found = form("none").parse(said, {})
    assert found["labels"] == ["cat", "cat", "dog"]
    np.testing.assert_allclose(found["boxes"], [box, other, near], atol=1e-3)
    assert len(form("class").parse(said, {})["boxes"]) == 2  # labels do not count where none was asked for


@settings(deadline=None, max_examples=50)
@given(ANSWERS)
def test_whatever_a_model_writes_is_judged(answer):
    for query in QUERIES:
        found = form(query).parse(answer, {})
        for metric in form(query).metrics:
            one = {"boxes": [[0.25, 0.25, 0.75, 0.75]], "labels": ["b"]}
            assert 0.0 <= metric.total([found], [one]) <= 1.0


def test_an_unknown_query_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'phrase'"):
        FindBoxes("boxes_phrase", "phrases")
