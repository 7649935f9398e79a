"""Capabilities that answer in words: what they ask, of what, and the best of a closed set."""

import numpy as np
import pytest
from PIL import Image

from unified_io import api
from unified_io.errors import ConfigError, DataError

SHORT = {"max_length": 2}


def prompt_of(asked: dict) -> str:
    return asked["text_inputs"].removeprefix("[Text] [S] ")


def test_a_question_is_asked_of_every_picture(model, picture, told):
    script = told("one", "two", "three")
    assert model.vqa("how many?", image=[picture, picture[::-1]]) == ["one", "two"]
    assert model.vqa("how {many}?", image=picture, prompt="Count: {question}") == "three"
    assert [prompt_of(x) for x in script.asked] == ["how many?", "how many?", "Count: how {many}?"]
    np.testing.assert_array_equal(script.asked[1]["image_inputs"], picture[::-1])
    with pytest.raises(DataError, match="slots"):
        model.vqa("why?", image=picture, prompt="Say something.")


def test_the_end_of_a_video_is_its_image_and_the_rest_its_history(model, told):
    script = told(*"abcd")
    frames = np.random.default_rng(1).random((10, 6, 4, 3), np.float32)
    assert model.tag_video(frames) == "a"
    assert model.caption_video([frames[i] for i in range(3)]) == "b"
    assert model.caption_video([frames, frames[:1]]) == ["c", "d"]
    long, short, _, still = script.asked
    np.testing.assert_array_equal(long["image_inputs"], frames[9])
    np.testing.assert_array_equal(long["image_history_inputs"], frames[[1, 3, 5, 7]])
    np.testing.assert_array_equal(short["image_inputs"], frames[2])
    np.testing.assert_array_equal(short["image_history_inputs"], frames[:2])
    assert len(still["image_history_inputs"]) == 0


def test_the_end_of_a_sound_is_heard_and_the_rest_its_history(model, told):
    script = told(*"ab")
    mel = model.config.target("audio").mel
    waveform = np.random.default_rng(1).normal(0, 0.1, 7 * mel.samples).astype(np.float32)
    model.caption_audio(waveform)
    model.caption_audio(waveform[: mel.samples])
    long, short = script.asked
    assert len(long["audio_history_inputs"]) == 4  # as many as the model remembers
    np.testing.assert_array_equal(long["audio_inputs"], model._input("audio").read(waveform[-mel.samples :]))
    assert "audio_history_inputs" not in short


def test_the_sound_of_a_video_is_cut_as_its_frames_are(model, told):
    script = told("a")
    rate = model.config.target("audio").mel.sample_rate
    frames = np.random.default_rng(1).random((3, 6, 4, 3), np.float32)
    model.caption_video(frames, audio=np.sin(np.arange(3 * rate // 10) / 5).astype(np.float32))
    assert len(script.asked[0]["audio_history_inputs"]) == 2
    with pytest.raises(ConfigError, match="sound of a video file"):
        model.caption_video(frames, audio="own")


def test_a_video_file_brings_its_own_sound(model, told, monkeypatch):
    script = told("a", "b")
    frames = np.random.default_rng(1).random((3, 6, 4, 3), np.float32)
    track = (np.sin(np.arange(3000) / 5).astype(np.float32)[:, None], 8000)
    sounds = {"a.mp4": track, "b.mp4": None}
    monkeypatch.setattr("unified_io.api.media.video_file.read_sound", sounds.get)
    monkeypatch.setattr("unified_io.api.media.frames_of.read", lambda path, count: frames)
    assert model.caption_video(["a.mp4", "b.mp4"], audio="own") == ["a", "b"]
    assert ["audio_inputs" in x for x in script.asked] == [True, False]
    assert len(script.asked[0]["audio_history_inputs"]) == 2


def test_the_best_category_is_the_one_that_scores_best(model, picture):
    choices = ["cat", "a dog on the mat", "seven", "cat"]
    found = model.categorize(choices, image=picture)
    inputs = {"image": picture, "text": "Which category fits best?"}
    for by, ranked in (("mean", found), ("sum", model.categorize(choices, image=picture, by="sum"))):
        scores = dict(zip(choices, model.score_batch([inputs], choices, by=by)[0], strict=True))
        assert set(ranked.options) == set(choices) and len(ranked.options) == 3
        assert ranked.best == max(scores, key=scores.get)
        np.testing.assert_allclose(ranked.scores, sorted(scores.values(), reverse=True), rtol=1e-5)
    many = model.categorize(choices, image=[picture, picture])
    assert [x.options for x in many] == [found.options] * 2


def test_a_region_is_named_by_its_location_tokens(model, picture, monkeypatch):
    asked = []

    def score(fields, choices, **_):
        asked.extend(fields)
        return np.arange(len(fields) * len(choices)).reshape(len(fields), -1) * 1.0

    monkeypatch.setattr(model, "score_fields", score)
    height, width = picture.shape[:2]
    one = model.classify_region(picture, [0, 0, height, width], ["cat", "dog"])
    two = model.classify_region(picture, [[0, 0, 3, 3], [2, 2, 9, 9]], ["cat", "dog"])
    assert one.best == "dog" and [x.best for x in two] == ["dog", "dog"]
    # the whole picture, 6 rows of the 16 behind 5 of padding: y from 5/16 to 12/16, x from 0 to 1
    y1, x1, y2, x2 = (int(v * 999) for v in (5 / 16, 0, (5 + 9 * 16 / 21) / 16, 1))
    box = " ".join(f"<extra_id_{200 + bin}>" for bin in (y1, x1, y2, x2))
    assert prompt_of(asked[0]) == f"What is the object in the region {box}?"


@pytest.mark.parametrize(
    "odd",
    [
        np.zeros((1, 1), np.uint8),
        np.zeros((1, 300, 3), np.float32),
        np.full((40, 2, 4), 200, np.uint8),
        Image.new("L", (5, 9)),
        Image.new("RGBA", (30, 3), (1, 2, 3, 0)),
    ],
    ids=["1x1 grey", "thin", "tall with alpha", "Pillow grey", "transparent"],
)
def test_any_picture_is_described(model, odd):
    assert isinstance(model.caption_image(odd, **SHORT), str)


def test_files_are_read(model, picture, tmp_path):
    Image.fromarray((picture * 255).astype(np.uint8)).save(tmp_path / "a.png")
    path = model.caption_image(tmp_path / "a.png", **SHORT)
    assert path == model.caption_image(str(tmp_path / "a.png"), **SHORT)
    assert path == model.caption_image((tmp_path / "a.png").read_bytes(), **SHORT)


def test_text_needs_nothing_to_look_at(model, picture, told):
    told(*"abc")
    assert model.generate_text("tell me") == "a"
    assert model.generate_text(["tell me", "why"], image=picture) == ["b", "c"]
    with pytest.raises(ConfigError, match="give an image, a video or a sound"):
        model.vqa("what?")
    with pytest.raises(ConfigError, match="an image and a video"):
        model.vqa("what?", image=picture, video=picture[None])


def test_a_model_without_the_modality_says_what_it_has(model, picture):
    config = model.config
    reader = api.UnifiedIO(type(config)(config.backbone, config.inputs[:1], config.targets[:1]), model.params)
    for call in (
        lambda: reader.caption_image(picture),
        lambda: reader.localize(picture, "cat"),
        lambda: reader.depth(picture),
        lambda: reader.generate_audio("cat"),
        lambda: reader.generate_image("cat"),
    ):
        with pytest.raises(ConfigError, match="this one reads text and writes text"):
            call()
    with pytest.raises(ConfigError, match="unknown option 'max_lenght'"):
        model.caption_image(picture, max_lenght=3)
