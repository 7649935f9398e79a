"""The next frame: where a thing is, or what is done, stands in the prompt frame by frame."""

import numpy as np
import pytest

from data_tasks.formats.command import Command
from data_tasks.formats.next_frame import NEXT, NextFrame
from tests.data_tasks.formats.painting import best, box_of, check_laws, gradient, oracle
from tests.data_tasks.formats.wording import SEEDS, made, raw
from unified_io.errors import ConfigError, DataError
from unified_io.structures import MISSING, text_to_boxes

BOXES = NextFrame("next_frame_boxes")
ACTIONS = NextFrame("next_frame_actions", "actions")
TRACK = [box_of(4, 6, 12), box_of(5, 8, 12), box_of(6, 10, 12)]


def clip(count=3, **other):
    return raw(images=[gradient() * (n + 1) / count for n in range(count)], **other)


@pytest.mark.parametrize(
    ("form", "example"),
    [(BOXES, clip(tracks=TRACK)), (ACTIONS, clip(actions=["left", "forward", "stop"]))],
)
def test_laws_and_oracle(form, example):
    check_laws(form, example)
    assert oracle(form, [example] * 2) == pytest.approx(best(form))


def test_frames_and_boxes_are_framed_alike():
    # A bright thing on black, so that its box is seen in the pixels.
    frames = []
    for y1, x1, y2, x2 in np.round(np.array(TRACK) * [24, 32, 24, 32]).astype(int):
        frame = np.zeros((24, 32, 3), np.float32)
        frame[y1:y2, x1:x2] = 1.0
        frames.append(frame)
    for seed in SEEDS:
        fields = made(BOXES, raw(images=frames, tracks=TRACK), seed)
        boxes = text_to_boxes(fields["text_inputs"]).boxes * len(fields["image_targets"])
        shown = [*fields["image_history_inputs"], fields["image_inputs"], fields["image_targets"]]
        for box, pixels in zip(boxes, shown, strict=True):
            rows, columns = np.nonzero(pixels[:, :, 0])
            np.testing.assert_allclose(
                box, [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1], atol=0.1
            )


def test_a_thing_out_of_sight_is_missing():
    fields = made(BOXES, clip(tracks=[[0, 0, 0, 0], *TRACK[1:]]), training=False)
    assert f"<image_history_1> {MISSING} <image_input> <" in fields["text_inputs"]
    assert f"{NEXT} <" in fields["text_inputs"]
    with pytest.raises(DataError, match="outside"):
        made(BOXES, clip(tracks=[*TRACK[:2], [0, 0, 0, 0]]))


def test_actions_stand_behind_the_frame_they_follow():
    fields = made(ACTIONS, clip(actions=["Left", "go  on"]))
    assert "<image_history_1> left <image_input> go on" in fields["text_inputs"]
    numbers = NextFrame("next_frame_actions", "actions", command=Command((-1, 0), (1, 2)))
    fields = made(numbers, clip(actions=[[-1, 2], [1, 0]]))
    low, high = "<extra_id_200>", "<extra_id_1199>"
    assert f"<image_history_1> {low} {high} <image_input> {high} {low}" in fields["text_inputs"]


def test_long_clips_leave_the_latest_frames():
    fields = made(ACTIONS, clip(9, actions=[f"step {n}" for n in range(8)]))
    assert len(fields["image_history_inputs"]) == 4
    prompt = fields["text_inputs"]
    assert (
        "<image_history_1> step 3" in prompt and "step 2" not in prompt and "<image_input> step 7" in prompt
    )
    np.testing.assert_allclose(fields["image_history_inputs"][0], fields["image_targets"] * 4 / 9, atol=1e-6)


def test_refuses_what_does_not_fit():
    with pytest.raises(DataError, match="2 tracks for 3 images"):
        made(BOXES, clip(tracks=TRACK[:2]))
    with pytest.raises(DataError, match="1 actions for 3 images"):
        made(ACTIONS, clip(actions=["left"]))
    with pytest.raises(DataError, match="command"):
        made(ACTIONS, clip(actions=[[1.0], [2.0]]))
    with pytest.raises(DataError, match="fewer than 2"):
        made(ACTIONS, clip(1, actions=[]))
    with pytest.raises(DataError, match="fewer than 2"):
        made(ACTIONS, clip(0, actions=[]))
    with pytest.raises(ConfigError, match="thing given"):
        NextFrame("next_frame_boxes", "box")
