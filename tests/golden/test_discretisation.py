"""Location tokens of the released implementation: values, boxes, points and keypoints, there and back."""

import json

import numpy as np
import pytest

from unified_io import structures
from unified_io.vocab import SENTINELS, Vocabulary, location_word

RELEASED = Vocabulary(None, 32000, 33280)
SIDE = np.float32(384)


@pytest.fixture(scope="module")
def fixture(golden):
    folder = golden("discretisation")
    arrays = {**np.load(folder / "inputs.npz"), **np.load(folder / "outputs.npz")}
    return arrays, *(json.loads((folder / name).read_text()) for name in ("config.json", "outputs.json"))


def test_values(fixture):
    arrays = fixture[0]
    np.testing.assert_array_equal(
        structures.values_to_bins(arrays["grid/values"]) + SENTINELS, arrays["grid/index"]
    )
    inside = arrays["values/values"] >= 0  # the port truncates a small negative value to 0, ours names it
    bins = structures.values_to_bins(arrays["values/values"][inside])
    np.testing.assert_array_equal(bins + SENTINELS, arrays["values/index"][inside])


@pytest.mark.parametrize("name", ["boxes", "points"])
def test_boxes_and_points(fixture, name):
    arrays, _, outputs = fixture
    values = arrays[f"{name}/pixels"] / SIDE
    bins = structures.values_to_bins(values)
    np.testing.assert_array_equal(bins + SENTINELS, arrays[f"{name}/index"])
    np.testing.assert_array_equal(RELEASED.location_id(bins), arrays[f"{name}/ids"])
    np.testing.assert_allclose(structures.bins_to_values(bins), arrays[f"{name}/back"], atol=1e-6)
    write = {"boxes": structures.boxes_to_text, "points": structures.points_to_text}[name]
    assert write(values) == " ".join(outputs[name])


def test_boxes_with_labels(fixture):
    arrays, config, outputs = fixture
    text = structures.boxes_to_text(arrays["boxes/pixels"][:2] / SIDE, ["cat", "dog"])
    assert text == " ".join(outputs["boxes_with_labels"])
    read = structures.text_to_boxes(config["labelled_box_text"])
    np.testing.assert_allclose(read.boxes, arrays["labelled_boxes"], atol=1e-6)
    assert read.labels == [label.strip() for label in outputs["labelled_boxes"]["labels"]]
    assert read.skipped == ["3 of 4 location tokens before 'dog'"]


def test_boxes_from_ids(fixture):
    arrays = fixture[0]
    words = (
        location_word(RELEASED.location_bin(id)) if RELEASED.is_location(id) else "other"
        for id in arrays["location_ids"].tolist()
    )
    boxes = structures.text_to_boxes(" ".join(words)).boxes
    np.testing.assert_allclose(boxes, arrays["locations_from_ids"], atol=1e-6)


def test_keypoints(fixture):
    arrays, config, outputs = fixture
    assert list(structures.COCO_PARTS) == outputs["parts"]
    points, visible, skipped = structures.text_to_keypoints(config["keypoint_text"])
    info = arrays["image_info"]
    pixels = np.clip((points * SIDE - info[:2]) * info[2], 0, info[3:5])
    filled = structures.fill_missing(pixels, visible)
    np.testing.assert_allclose(filled[:, ::-1], arrays["keypoints"][:, :2], atol=2e-5)
    np.testing.assert_array_equal(np.where(visible, 2, 0), arrays["keypoints"][:, 2])
    assert skipped == ["a second 'left elbow'", "unknown part 'tail'"]
    assert not structures.text_to_keypoints(config["no_keypoints_text"]).visible.any()
