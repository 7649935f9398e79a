"""Folders of frames with boxes: read as they were written, and cut to parts whose frames and boxes fit."""

import numpy as np
import pytest

from data_tasks import made_up
from data_tasks.sources.sequences import SequenceBoxes, SequenceFolders, SequenceFrames
from data_tasks.sources.stored import Context, Reading
from unified_io.errors import DataError
from unified_io.preprocess import image_ops

STORED = SequenceFolders(
    "set", "{split}ing_set.txt", "{kind}/{name}/img/*.jpg", "{kind}/{name}/groundtruth.txt"
)
NAMES = ["cat-1", "big-bus-2"]


@pytest.fixture
def records(tmp_path):
    made = []
    for name in NAMES:
        frames = [f"{name.rpartition('-')[0]}/{name}/img/{place:08d}.jpg" for place in range(9)]
        for frame in frames:
            made_up.write(tmp_path, frame)
        boxes = [[float(place), 4.0, 8.5, 12.0] for place in range(9)]
        made.append({"name": name, "frames": frames, "boxes": boxes})
    STORED.write(tmp_path, "train", made)
    return made


def context(folder, training, seed=0, frames=3):
    return Context(folder, Reading(frames=frames), "train", training, (seed,))


def test_sequences_are_read_as_they_were_written(tmp_path, records):
    assert STORED.length(tmp_path, "train") == 2
    assert [STORED.record(tmp_path, "train", place) for place in range(2)] == records


@pytest.mark.parametrize("step", [1, 3])
def test_frames_and_boxes_are_of_the_same_part(tmp_path, records, step):
    starts = set()
    for seed in range(20):
        where = context(tmp_path, True, seed)
        frames, boxes = (make(step)(records[0], where) for make in (SequenceFrames, SequenceBoxes))
        start = round(float(boxes[0, 1]) * made_up.WIDTH)
        assert np.allclose(boxes[:, 1] * made_up.WIDTH, start + step * np.arange(3), atol=1e-4)
        for place, frame in enumerate(frames):
            name = records[0]["frames"][start + step * place]
            np.testing.assert_array_equal(frame, image_ops.read(tmp_path / name))
        starts.add(start)
    assert len(starts) > 1
    assert SequenceBoxes(step)(records[0], context(tmp_path, False))[0, 1] == 0.0


def test_a_sequence_that_is_too_short_is_an_error(tmp_path, records):
    with pytest.raises(DataError, match="9 frames, 4 are wanted"):
        SequenceFrames(3)(records[0], context(tmp_path, False, frames=4))


def test_boxes_in_shares_of_the_picture_need_no_picture(tmp_path):
    record = {"frames": ["none.jpg"] * 3, "boxes": [[0.1, 0.2, 0.3, 0.4]] * 3}
    found = SequenceBoxes(order="xyxy", pixels=False)(record, context(tmp_path, False))
    assert np.allclose(found, [[0.2, 0.1, 0.4, 0.3]] * 3)


def test_what_is_missing_or_damaged_is_an_error(tmp_path, records):
    with pytest.raises(DataError, match="list of sequences"):
        STORED.length(tmp_path, "test")
    with pytest.raises(DataError, match="sequence 2 of 2"):
        STORED.record(tmp_path, "train", 2)
    (tmp_path / records[0]["frames"][0]).unlink()
    with pytest.raises(DataError, match="8 frames and 9 boxes"):
        STORED.record(tmp_path, "train", 0)
    (tmp_path / "cat/cat-1/groundtruth.txt").write_text("1,2,three,4\n")
    with pytest.raises(DataError, match="x,y,width,height"):
        STORED.record(tmp_path, "train", 0)
