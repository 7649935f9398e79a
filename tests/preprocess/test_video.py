"""Videos as frames: which ones, without borders, and as history and image."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unified_io.errors import ConfigError, DataError
from unified_io.preprocess import sound, video, video_file

GREYS = np.arange(20, 220, 4, np.uint8)  # of 50 frames


@pytest.fixture(scope="module")
def av():
    return pytest.importorskip("av", reason="PyAV (the extra `video`) is not installed")


def film(av, path: Path, *, size=(48, 64), sounding=True, turned=0, border=0) -> Path:
    """A video of 2 s whose frames get brighter, with a tone of 440 Hz in stereo; its left edge is white."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.height, pictures.width, pictures.pix_fmt = *size, "yuv420p"
        pictures.bit_rate = 4_000_000
        if turned:
            pictures.set_display_rotation(turned)
        track = container.add_stream("aac", rate=16000, layout="stereo") if sounding else None
        for grey in GREYS:
            pixels = np.full((*size, 3), grey, np.uint8)
            pixels[:, :8] = 255
            if border:
                pixels[:border] = 0
            for packet in pictures.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        container.mux(pictures.encode())
        if track is not None:
            tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)
            frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]).astype(np.float32), "fltp", "stereo")
            frame.sample_rate = 16000
            container.mux(track.encode(frame))
            container.mux(track.encode())
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_the_middle_frame_of_every_part_is_read(av, tmp_path, suffix):
    path = film(av, tmp_path / f"a.{suffix}")
    for value in (path, str(path), path.read_bytes()):
        frames = video.read(value)
        assert frames.shape == (5, 48, 64, 3) and frames.dtype == np.float32
        np.testing.assert_allclose(frames[:, 20, 40, 1] * 255, GREYS[[5, 15, 25, 35, 45]], atol=3)
    np.testing.assert_allclose(video.read(path, 1)[:, 20, 40, 1] * 255, GREYS[[25]], atol=3)
    assert len(video.read(path, 500)) == 50


def test_the_sound_of_a_video_is_read(av, tmp_path):
    waveform, rate = video_file.read_sound(film(av, tmp_path / "a.mp4"))
    assert rate == 16000 and waveform.shape[1] == 2
    mono = sound.read((waveform, rate), 8000)
    assert len(mono) == pytest.approx(16000, abs=1500)
    spectrum = np.abs(np.fft.rfft(mono[4000:12000]))
    assert spectrum.argmax() == 440 and np.abs(mono).max() == pytest.approx(0.5, abs=0.1)
    assert video_file.read_sound(film(av, tmp_path / "b.mp4", sounding=False)) is None


def test_a_turned_video_is_upright(av, tmp_path):
    if not hasattr(av.video.stream.VideoStream, "set_display_rotation"):
        pytest.skip("this PyAV can not write a turned video")
    frame = video.read(film(av, tmp_path / "a.mp4", turned=-90), 1)[0]
    assert frame.shape == (64, 48, 3)
    assert frame[:5].min() > 0.8 and frame[-5:].max() < 0.8  # what was left is up: turned clockwise


def test_borders_of_a_file_are_cut(av, tmp_path):
    assert video.read(film(av, tmp_path / "a.mp4", border=8)).shape == (5, 40, 64, 3)


def test_broken_and_wrong_files_are_named(av, tmp_path):
    content = film(av, tmp_path / "a.mp4").read_bytes()
    for part in (10, len(content) // 2):
        with pytest.raises(DataError, match=f"a video of {part} bytes"):
            video.read(content[:part])
    (tmp_path / "x.mp4").write_bytes(b"nothing at all" * 100)
    with pytest.raises(DataError, match=r"x\.mp4"):
        video.read(tmp_path / "x.mp4")
    with pytest.raises(DataError, match="no video at"):
        video.read(tmp_path / "y.mp4")
    sound.write_wav(tmp_path / "a.wav", np.zeros(8000, np.float32), 8000)
    with pytest.raises(DataError, match="no video track"):
        video.read(tmp_path / "a.wav")


def test_a_playlist_opens_no_other_file(av, tmp_path):
    path = film(av, tmp_path / "secret.mp4")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{path}\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(playlist)
    with pytest.raises(DataError, match="wants to open"):
        video.read(tmp_path / "list.m3u8")


@pytest.mark.parametrize(
    "module, name, most, word",
    [
        (video_file, "MAX_PIXELS", 5 * 48 * 64 - 1, "ask for fewer frames"),
        (video_file, "MAX_SECONDS", 1.0, "the most is 1 s"),
        (video_file, "MAX_FRAMES", 49, "more than 49 frames: cut it"),
        ("unified_io.preprocess.sources", "MAX_BYTES", 1000, "may have 1 to 1000"),
    ],
)
def test_limits(av, tmp_path, monkeypatch, module, name, most, word):
    path = film(av, tmp_path / "a.mp4")
    monkeypatch.setattr(sys.modules[module] if isinstance(module, str) else module, name, most)
    with pytest.raises(DataError, match=word):
        video.read(path)


def test_a_long_sound_of_a_video_is_refused(av, tmp_path, monkeypatch):
    path = film(av, tmp_path / "a.mp4")
    monkeypatch.setattr(sound, "MAX_SECONDS", 1.0)
    with pytest.raises(DataError, match="the most is 1 s"):
        video_file.read_sound(path)


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"something")
    for read in (video.read, video_file.read_sound):
        with pytest.raises(ConfigError, match=r'pip install "unified-io\[video\]"'):
            read(tmp_path / "a.mp4")


def test_arrays_and_lists_of_images_are_videos():
    frames = np.random.default_rng(0).integers(16, 256, (10, 6, 8, 3), np.uint8)
    expected = frames[[1, 3, 5, 7, 9]] / np.float32(255)
    np.testing.assert_allclose(video.read(frames), expected, atol=1e-6)
    np.testing.assert_allclose(video.read(list(frames)), expected, atol=1e-6)
    buffers = [io.BytesIO() for _ in frames]
    for frame, buffer in zip(frames, buffers, strict=True):
        Image.fromarray(frame).save(buffer, "PNG")
    np.testing.assert_allclose(video.read([buffer.getvalue() for buffer in buffers]), expected, atol=1e-6)
    np.testing.assert_allclose(video.read(frames[:2]), frames[:2] / np.float32(255), atol=1e-6)


@pytest.mark.parametrize("frames", [[], [np.ones((2, 3, 3)), np.ones((3, 2, 3))]])
def test_no_frames_and_frames_of_several_sizes_are_errors(frames):
    with pytest.raises(DataError, match="all of one size"):
        video.read(frames)


@pytest.mark.parametrize(
    "total, count, middles", [(50, 5, [5, 15, 25, 35, 45]), (4, 5, [0, 1, 2, 3]), (7, 2, [1, 5])]
)
def test_middles(total, count, middles):
    assert video_file.middles(total, count).tolist() == middles


def test_borders_are_cut_where_all_frames_are_black_and_at_most_thirty_percent():
    frames = np.zeros((2, 20, 40, 3), np.float32)
    frames[0, 3:15, 20:] = 15 / 255  # black still
    frames[0, 4:15, 20:38, 1] = 16 / 255
    frames[1, 6, 10:] = 1
    assert video.crop_borders(frames).shape == (2, 11, 30, 3)
    np.testing.assert_array_equal(video.crop_borders(frames), frames[:, 4:15, 10:])
    frames[1, 6, 10:18] = 0
    np.testing.assert_array_equal(video.crop_borders(frames), frames[:, 4:15, 12:])
    black = np.zeros((1, 4, 4, 3), np.float32)
    np.testing.assert_array_equal(video.crop_borders(black), black)


def test_the_last_frame_is_the_image_and_the_others_are_history():
    frames = np.arange(4)
    history, image = video.split(frames)
    assert history == [0, 1, 2] and image == 3
    history, image = video.split(frames, main=2)
    assert history == [0, 1, 3] and image == 2
    with pytest.raises(DataError, match="frame 4 of a video of 4"):
        video.split(frames, main=4)
