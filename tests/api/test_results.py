"""Results: they say what they are in a line, and come back from their files."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from unified_io.api import renderings, results
from unified_io.errors import ConfigError
from unified_io.preprocess import sound

BOXES = np.array([[1, 2, 3, 4], [0, 0, 5, 5]], np.float32)


def test_boxes_and_points_as_json(tmp_path):
    found = results.Detections(BOXES, ("cat", "dog"))
    assert repr(found) == "Detections(2 boxes: cat, dog)"
    found.save(tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "boxes": BOXES.tolist(),
        "labels": ["cat", "dog"],
    }
    people = results.Keypoints(np.ones((1, 2, 2)), np.array([[True, False]]), BOXES[:1], ("nose", "tail"))
    assert repr(people) == "Keypoints(1 person, 1 of 2 parts found)"
    people.save(str(tmp_path / "p.json"))
    assert json.loads((tmp_path / "p.json").read_text())["visible"] == [[True, False]]
    ranked = results.Ranked(("dog", "cat"), np.array([-1.0, -2.5]))
    assert repr(ranked) == "Ranked('dog' -1.00, 'cat' -2.50)"
    ranked.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["scores"] == [-1.0, -2.5]


def test_plans_as_json_and_text(tmp_path):
    plan = results.RobotActions(((results.Pose("pick", 0.5, 0.0, 1.0),),), "1: pick")
    assert repr(plan) == "RobotActions(1 step)"
    plan.save(tmp_path / "a.json")
    plan.save(tmp_path / "a.txt")
    step = json.loads((tmp_path / "a.json").read_text())["steps"][0][0]
    assert step == {"words": "pick", "x": 0.5, "y": 0.0, "rotation": 1.0}
    assert (tmp_path / "a.txt").read_text() == "1: pick\n"


def test_masks_come_back(tmp_path):
    masks = np.zeros((2, 5, 6), bool)
    masks[0, :2], masks[1, :, :3] = True, True
    found = renderings.Masks(masks, BOXES, ("cat", "dog"))
    assert repr(found) == "Masks(2 of 6x5 pixels)"
    found.save(tmp_path / "a.npz")
    found.save(tmp_path / "a.png")
    back = np.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(back["masks"], masks)
    assert back["labels"].tolist() == ["cat", "dog"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")) == 255, masks.any(axis=0))
    none = renderings.Masks(np.zeros((0, 5, 6), bool), BOXES[:0], ())
    none.save(tmp_path / "none.png")
    assert repr(none) == "Masks(0 of nothing)" and not np.asarray(Image.open(tmp_path / "none.png")).any()


def test_depth_is_stored_in_millimetres(tmp_path):
    depth = renderings.Depth(np.array([[0.5, 2.0], [9.999, 0.0]], np.float32))
    assert repr(depth) == "Depth(2x2 pixels, 0.00 to 10.00 m)"
    depth.save(tmp_path / "a.png")
    assert np.asarray(Image.open(tmp_path / "a.png")).tolist() == [[500, 2000], [9999, 0]]
    depth.save(tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), depth.metres)
    with pytest.raises(ConfigError, match="save as .npy"):
        renderings.Depth(np.full((2, 2), 70.0)).save(tmp_path / "b.png")


def test_normals_and_pictures_as_png(tmp_path):
    normals = renderings.Normals(np.tile(np.array([0, 0, 1], np.float32), (2, 3, 1)))
    normals.save(tmp_path / "n.png")
    assert np.asarray(Image.open(tmp_path / "n.png"))[0, 0].tolist() == [128, 128, 255]
    picture = renderings.Picture(np.full((2, 3, 3), 0.2, np.float32), scores=(1.0, 0.5))
    assert repr(picture) == "Picture(3x2 pixels, best of 2)"
    picture.save(tmp_path / "p.png")
    assert (np.asarray(Image.open(tmp_path / "p.png")) == 51).all()
    with pytest.raises(ConfigError, match=r"kind of file for Picture '.wav'; .*\.png"):
        picture.save(tmp_path / "p.wav")


def test_sound_as_wav(tmp_path):
    waveform = renderings.Waveform((np.sin(np.arange(800) / 10) / 2).astype(np.float32), 8000)
    assert repr(waveform) == "Waveform(0.10 s at 8000 Hz)"
    waveform.save(tmp_path / "a.wav")
    np.testing.assert_allclose(sound.read(tmp_path / "a.wav", 8000), waveform.samples, atol=1 / 32000)


def test_a_notebook_shows_pictures_and_plays_sounds():
    pixels = np.random.default_rng(0).random((4, 6, 3)).astype(np.float32)
    bundle = renderings.Picture(pixels)._repr_mimebundle_()
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))) / 255
    np.testing.assert_allclose(seen, pixels, atol=1 / 255)
    heard = renderings.Waveform(np.zeros(80, np.float32), 8000)._repr_mimebundle_(include=None, exclude=None)
    assert heard["text/html"].startswith("<audio controls") and heard["text/plain"].startswith("Waveform(")
    assert [*results.Detections(BOXES, ("cat", "dog"))._repr_mimebundle_()] == ["text/plain"]


@pytest.mark.parametrize(
    ("result", "suffix"),
    [
        (renderings.Waveform(np.zeros(80, np.float32), 8000), ".wav"),
        (renderings.Picture(np.zeros((2, 2, 3), np.float32)), ".png"),
        (results.RobotActions((), "1: pick"), ".txt"),
        (results.Detections(BOXES, ("cat", "dog")), ".json"),
    ],
)
def test_show_opens_a_file_of_the_kind_that_can_be_looked_at(monkeypatch, result, suffix):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    path = result.show()
    assert path.suffix == suffix and path.stat().st_size and opened == [path.as_uri()]
