"""A thing followed through frames."""

import numpy as np
import pytest
from hypothesis import given, settings

from data_tasks.formats.track import EARLIER, Track
from tests.data_tasks.formats.garbage import ANSWERS
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, raw
from unified_io.errors import DataError
from unified_io.structures import MISSING, text_to_boxes

FORM = Track("track")
TRACK = np.array([[0.2, 0.2 + 0.05 * n, 0.7, 0.6 + 0.05 * n] for n in range(7)])


def example(frames=3, track=None, **fields):
    images = [picture(40, 60, seed) for seed in range(frames)]
    return raw(images=images, tracks=TRACK[:frames] if track is None else track, **fields)


def test_laws_and_oracle():
    check_laws(FORM, example())
    # The box loses less than a hundredth of its overlap, so no threshold below 1 but .95 could be missed.
    assert oracle(FORM, [example()] * 4) == pytest.approx(best(FORM), abs=0.01)
    assert oracle(FORM, [example()] * 4, "gone") == {"success_auc": 0.0, "track_iou": 0.0}


def test_earlier_boxes_stand_behind_their_markers():
    fields = made(FORM, example(), training=False)
    prompt = fields["text_inputs"]
    (first, second) = (
        text_to_boxes(prompt.split(mark)[1].split("<image")[0]).boxes[0]
        for mark in ("<image_history_1>", "<image_history_2>")
    )
    whole = np.array([40, 60, 40, 60]) / 60
    pad = np.array([10, 0, 10, 0]) / 60
    np.testing.assert_allclose([first, second], TRACK[:2] * whole + pad, atol=2e-3)
    np.testing.assert_allclose(
        text_to_boxes(fields["text_targets"]).boxes, [TRACK[2] * whole + pad], atol=2e-3
    )
    assert len(fields["image_history_inputs"]) == 2


def test_a_long_track_keeps_the_latest_frames():
    fields = made(FORM, example(7), training=False)
    assert len(fields["image_history_inputs"]) == EARLIER
    assert f"<image_history_{EARLIER}>" in fields["text_inputs"]
    assert f"<image_history_{EARLIER + 1}>" not in fields["text_inputs"]
    np.testing.assert_array_equal(fields["image_history_inputs"][0][10:50], picture(40, 60, 2))


def test_out_of_sight_is_missing():
    track = TRACK[:4].copy()
    track[1] = 0
    prompt = made(FORM, example(4, track), training=False)["text_inputs"]
    assert f"<image_history_2> {MISSING} <image_history_3> <extra_id" in prompt
    track[:3] = 0
    with pytest.raises(DataError, match="none of the earlier"):
        made(FORM, example(4, track), training=False)
    track[:] = [*TRACK[:3], [0, 0, 0, 0]]
    with pytest.raises(DataError, match="too thin"):
        made(FORM, example(4, track), training=False)


def test_all_boxes_lie_in_one_window():
    """A block that stands still has one box, and covers it on every frame that is shown."""
    image = np.zeros((40, 60, 3), np.float32)
    image[12:28, 20:41] = 1
    box = [12 / 40, 20 / 60, 28 / 40, 41 / 60]
    still = raw(images=[image] * 3, tracks=[box] * 3)
    for seed in range(30):
        fields = made(FORM, still, seed)
        boxes = [
            text_to_boxes(part).boxes[0]
            for part in (*fields["text_inputs"].split("<image_history_")[1:], fields["text_targets"])
        ]
        np.testing.assert_array_equal(boxes[0], boxes[1])
        np.testing.assert_array_equal(boxes[0], boxes[2])
        for frame in (*fields["image_history_inputs"], fields["image_inputs"]):
            shown = frame[..., 0] > 0
            rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
            tight = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]) / len(shown)
            np.testing.assert_allclose(boxes[0], tight, atol=2 / 999)


def test_frames_and_boxes_must_be_as_many():
    with pytest.raises(DataError, match="2, 4.*3 frames"):
        made(FORM, example(3, TRACK[:2]))
    with pytest.raises(DataError, match="two frames"):
        made(FORM, example(1))


@settings(deadline=None, max_examples=50)
@given(ANSWERS)
def test_whatever_a_model_writes_is_judged(answer):
    for metric in FORM.metrics:
        assert 0.0 <= metric.total([FORM.parse(answer, {})], [{"boxes": [[0.25, 0.25, 0.75, 0.75]]}]) <= 1.0
