"""Clips of video files: a frame of every part, the middle one in evaluation, and the sound that belongs to it."""

import numpy as np
import pytest

from data_tasks.sources import clips, mapping
from data_tasks.sources.stored import Context, Mapped, Reading
from data_tasks.sources.video import VideoList
from unified_io.errors import DataError
from unified_io.mel import MelConfig
from unified_io.preprocess import video_file

av = pytest.importorskip("av", reason="PyAV (the extra `video`) is not installed")

GREYS = np.arange(100, 200, 2, dtype=np.uint8)  # of 50 frames, 25 a second
MEL = MelConfig(sample_rate=8000, n_fft=256, hop=128, mels=16, fmin=0.0, fmax=4000.0, frames=32)  # 0.51 s


def film(path, sounding=True):
    """A video of 2 s whose frames get brighter, with a tone that begins in its second half."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.height, pictures.width, pictures.pix_fmt, pictures.bit_rate = 48, 64, "yuv420p", 4_000_000
        track = container.add_stream("aac", rate=16000, layout="mono") if sounding else None
        for grey in GREYS:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        if track is not None:
            tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000) * (np.arange(32000) >= 16000)
            frame = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), "fltp", "mono")
            frame.sample_rate = 16000
            container.mux(track.encode(frame))
            container.mux(track.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("clips")
    (place / "v").mkdir()
    film(place / "v/a.mp4")
    film(place / "v/b.mp4", sounding=False)
    (place / "v/c.mp4").write_bytes((place / "v/a.mp4").read_bytes()[:2000])
    return place


def at(folder, training=False, seed=(0, 0)):
    return Context(folder / "v", Reading(mel=MEL), "train", training, seed)


def seen(frames):
    """Which of the film's frames they are."""
    return [round((frame.mean() * 255 - 100) / 2) for frame in frames]


def test_the_middle_of_every_part_in_evaluation(folder):
    make = mapping.Frames()
    for record, wanted in (
        ({"path": "a.mp4"}, [5, 15, 25, 35, 45]),
        ({"path": "a.mp4", "start": 1.0, "end": None}, [27, 32, 37, 42, 47]),
        ({"path": "a.mp4", "start": "0.4", "end": "0.6"}, [10, 11, 12, 13, 14]),
        ({"path": (folder / "v/a.mp4").read_bytes()}, [5, 15, 25, 35, 45]),
    ):
        # A grey that is one off in the coded film is half a frame.
        np.testing.assert_allclose(seen(make(record, at(folder))), wanted, atol=1)


def test_another_one_of_every_part_in_training(folder):
    make, found = mapping.Frames(), set()
    for seed in range(4):
        frames = seen(make({"path": "a.mp4"}, at(folder, True, (seed, 1))))
        assert frames == seen(make({"path": "a.mp4"}, at(folder, True, (seed, 1))))
        assert all(10 * part - 1 <= frame <= 10 * part + 10 for part, frame in enumerate(frames))
        found.add(tuple(frames))
    assert len(found) > 1


def test_pictures_in_a_list_are_frames_too(folder):
    pictures = [np.full((600, 1200, 3), grey, np.uint8) for grey in range(100, 200, 10)]
    frames = mapping.Frames("x")({"x": pictures}, at(folder))
    assert [round(frame.mean() * 255) for frame in frames] == [110, 130, 150, 170, 190]
    assert frames[0].shape == (512, 1024, 3)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"path": "c.mp4"}, "c.mp4"),
        ({"path": "d.mp4"}, "no video at"),
        ({"path": "../v/../../a.mp4"}, "outside"),
        ({"path": "a.mp4", "start": 5, "end": 6}, "lasts 2.0 s and has no frame from 5 s to 6 s"),
        ({"path": "a.mp4", "start": 1, "end": 1}, "ends after it begins"),
        ({"path": "a.mp4", "start": float("nan"), "end": 1}, "ends after it begins"),
        ({"path": "a.mp4", "start": -1, "end": 1}, "ends after it begins"),
        ({"path": "a.mp4", "start": "soon", "end": 1}, "want seconds"),
    ],
)
def test_clips_that_are_not_there_are_errors(folder, record, says):
    with pytest.raises(DataError, match=says):
        mapping.Frames()(record, at(folder))


def test_the_sound_of_a_clip_is_cut_like_its_frames(folder):
    now, before = mapping.Soundtrack(), mapping.Soundtrack(history=True)
    current, earlier = now({"path": "a.mp4"}, at(folder)), before({"path": "a.mp4"}, at(folder))
    assert current.shape == (MEL.frames, MEL.mels) and len(earlier) in (2, 3, 4)
    assert earlier[0].max() < current.max() - 2  # silence, then the tone
    silent = now({"path": "a.mp4", "start": 0.0, "end": 0.6}, at(folder))
    assert silent.max() < current.max() - 2
    for make in (now, before):
        assert make({"path": "b.mp4"}, at(folder)) is None
    with pytest.raises(DataError, match="from its file"):
        now({"path": [1, 2]}, at(folder))


def test_a_part_of_a_sound(folder):
    whole, rate = video_file.read_sound(folder / "v/a.mp4")
    part, _ = video_file.read_sound(folder / "v/a.mp4", (0.5, 1.25))
    np.testing.assert_array_equal(part, whole[round(0.5 * rate) : round(1.25 * rate)])
    assert video_file.read_sound(folder / "v/a.mp4", (50.0, np.inf)) is None


def test_a_list_of_videos_is_read_end_to_end(folder):
    (folder / "v/train.csv").write_text("path,start,end,label\na.mp4,1,2,bright\nb.mp4,,,all\nd.mp4,,,none\n")
    fields = {"images": mapping.Frames(), "audio": mapping.Soundtrack(), "name": "label"}
    source = Mapped(VideoList("v"), fields, {"train": "train"}, reading=Reading(str(folder), mel=MEL))
    first, second = (source.raw("train", {"index": np.int64(index)})[0] for index in (0, 1))
    assert first["name"] == "bright" and len(first["images"]) == 5 and first["audio"].shape == (32, 16)
    assert "audio" not in second
    with pytest.raises(DataError, match="v train 2: field images: no video at"):
        source.raw("train", {"index": np.int64(2)})


def test_places_of_parts():
    assert video_file.places(50, 5).tolist() == [5, 15, 25, 35, 45]
    drawn = video_file.places(7, 3, np.random.default_rng(0))
    assert all(low <= place < high for place, low, high in zip(drawn, (0, 2, 4), (2, 4, 7), strict=True))
    assert video_file.places(3, 5, np.random.default_rng(0)).tolist() == [0, 1, 2]
    assert video_file.places(0, 5, np.random.default_rng(0)).tolist() == []


def test_seconds_of_a_record():
    assert clips.within({}, "start", "end") is None
    assert clips.within({"start": "", "end": None}, "start", "end") is None
    assert clips.within({"end": 3}, "start", "end") == (0.0, 3.0)
    assert clips.within({"start": "2"}, "start", "end") == (2.0, np.inf)
