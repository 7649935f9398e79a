"""The public interface on an untrained tiny model: shapes, determinism, errors; saved and loaded it is the same."""

import numpy as np
import pytest

from unified_io import api
from unified_io.errors import CheckpointError, ConfigError, DataError
from unified_io.preprocess import sound


def test_every_output_has_its_form(model, picture):
    assert isinstance(model.generate("text", image=picture, text="what is it?", max_length=4), str)
    image = model.generate("image", text="draw it")
    assert image.shape == (8, 8, 3) and image.min() >= 0 and image.max() <= 1
    waveform = model.generate("audio", text="say it")
    assert waveform.ndim == 1 and np.isfinite(waveform).all()
    points = model.generate("action", text="write it")
    assert points.ndim == 2 and points.shape[1] == 3


def test_a_result_depends_on_the_seed_and_not_on_the_batch(model, picture):
    alone = model.generate_batch([{"text": "draw a"}], "image", seed=3)[0]
    among = model.generate_batch([{"text": "draw a"}, {"text": "b", "image": picture}], "image", seed=3)[0]
    np.testing.assert_allclose(alone, among, atol=1e-5)
    assert not np.array_equal(alone, model.generate_batch([{"text": "draw a"}], "image", seed=4)[0])


def test_score_prefers_nothing_but_is_a_log_probability(model, picture):
    scores = model.score(["seven", "a much longer answer than that"], image=picture, text="which digit?")
    assert scores.shape == (2,) and (scores < 0).all() and scores[1] < scores[0]


def test_encode_gives_a_state_a_token(model, picture):
    text = model.encode(text="which digit?")
    both = model.encode(text="which digit?", image=picture)
    assert text.shape[1] == both.shape[1] == 16
    assert len(both) > len(text)


def test_saved_and_loaded_it_is_the_same(model, tmp_path):
    model.save_pretrained(tmp_path / "m")
    again = api.from_pretrained(tmp_path / "m")
    assert again.config == model.config
    np.testing.assert_array_equal(again.generate("image", text="x"), model.generate("image", text="x"))


def test_errors_name_the_thing_and_what_to_do(model, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'image'"):
        model.generate("imag", text="x")
    with pytest.raises(ConfigError, match="did you mean 'image'"):
        model.generate("text", imge="x.png")
    with pytest.raises(DataError, match="no image at"):
        model.generate("text", image=tmp_path / "none.png")
    with pytest.raises(CheckpointError, match="neither a saved model"):
        api.from_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="top_p"):
        model.generate("text", text="x", top_p=2.0)


def test_wav_files_come_back(tmp_path):
    waveform = np.sin(np.arange(800) / 10).astype(np.float32) * 0.5
    sound.write_wav(tmp_path / "a.wav", waveform, 8000)
    np.testing.assert_allclose(sound.read(tmp_path / "a.wav", 8000), waveform, atol=1 / 32000)
    assert len(sound.read(tmp_path / "a.wav", 16000)) == 1600
    (tmp_path / "b.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(DataError, match="convert it"):
        sound.read(tmp_path / "b.wav", 8000)


def test_generate_makes_what_capabilities_make(model, picture):
    found = model.generate("boxes", text="cat", image=picture, max_length=9)
    np.testing.assert_array_equal(found.boxes, model.localize(picture, "cat", max_length=9).boxes)
    assert model.generate("box", text="the cat", image=picture).labels == ("the cat",)
    depth = model.generate("depth", image=picture, seed=1)
    np.testing.assert_array_equal(depth.metres, model.depth(picture, seed=1).metres)
    with pytest.raises(ConfigError, match="'boxes' is made of image and text; give text"):
        model.generate("boxes", image=picture)
