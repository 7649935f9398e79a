"""Spoken digits: synthesis repeats to the bit, splits share no voice, folders of recordings are read and checked."""

import importlib.util
import logging

import numpy as np
import pytest
import soundfile

from data_tasks.digits import espeak, speech, voices
from data_tasks.digits.cache import cached
from data_tasks.digits.words import WORDS
from unified_io.errors import ConfigError, DataError
from unified_io.mel import MelConfig
from unified_io.preprocess import sound as sound_reader
from unified_io.preprocess import sources

MEL = MelConfig(sample_rate=8000, n_fft=256, hop=128, mels=32, fmin=0.0, fmax=4000.0, frames=64)
FLOOR = np.log(1e-5)
SMALL = {
    split: voices.Cast((accent,), tuple(variants.split()), takes=1, seed=seed)
    for seed, (split, accent, variants) in enumerate(
        [("train", "en-US", "m1 f1"), ("validation", "en", "steph"), ("test", "en-029", "klatt")]
    )
}
needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)


@pytest.fixture
def small_casts(monkeypatch):
    monkeypatch.setattr(voices, "CASTS", SMALL)


def word(pitch: float = 200.0, seconds: float = 0.4, rate: int = 8000) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate).astype(np.float32)


@pytest.fixture
def recordings(tmp_path):
    for speaker in ("ann", "bob", "cy", "dot"):
        for digit in range(3):
            soundfile.write(tmp_path / f"{digit}_{speaker}_0.wav", word(200 + 50 * digit), 8000)
    return tmp_path


def test_no_voice_and_no_accent_is_in_two_splits():
    for part in ("accents", "variants"):
        names = [name for cast in voices.CASTS.values() for name in getattr(cast, part)]
        assert len(names) == len(set(names))
    counts = {split: len(voices.script(cast)[1]) for split, cast in voices.CASTS.items()}
    assert counts == {"train": 2500, "validation": 300, "test": 300}


def test_scripts_are_balanced_and_vary_rate_and_pitch():
    utterances, labels = voices.script(voices.CASTS["train"])
    assert np.array_equal(np.bincount(labels), [250] * 10)
    assert all(utterance.text == WORDS[label] for utterance, label in zip(utterances, labels, strict=True))
    for varied in ("rate", "pitch"):
        assert len({getattr(utterance, varied) for utterance in utterances}) > 20


@needs_espeak
def test_every_voice_exists_and_repeats_to_the_bit():
    utterances = [
        espeak.Utterance("six", f"gmw/{accent}+{variant}", 140, 50)
        for cast in voices.CASTS.values()
        for number, variant in enumerate(cast.variants)
        for accent in [cast.accents[number % len(cast.accents)]]
    ]
    first, rate, _ = espeak.speak(utterances)
    again, *_ = espeak.speak(utterances)
    assert rate == 22050
    for utterance, one, other in zip(utterances, first, again, strict=True):
        assert np.array_equal(one, other), utterance
        assert 0.15 < np.abs(one).max() <= 1 and 0.2 < len(one) / rate < 1.2, utterance


@needs_espeak
def test_words_begin_where_they_are_heard():
    said = espeak.speak([espeak.Utterance("stop stop stop", "gmw/en-US+m1", 140, 50)])
    (sound,), (begins,) = said.sounds, said.begins
    assert len(begins) == 3 and begins[0] == 0 and (np.diff(begins) > 0.1 * said.rate).all()
    length = int(np.diff(begins).min())
    first, second = (np.abs(np.fft.rfft(sound[begin : begin + length])) for begin in begins[:2])
    assert np.corrcoef(first, second)[0, 1] > 0.6


@needs_espeak
def test_synthesised_split(small_casts, tmp_path):
    first = speech.load("train", MEL, cache_dir=tmp_path)
    assert first.mels.shape == (20, 64, 32) and first.mels.dtype == np.float32
    assert np.array_equal(first.labels, [*range(10)] * 2)
    assert set(first.voices) == {"en-US+m1", "en-US+f1"}
    assert "synthetic" in first.source and "en-US" in first.source
    loud = (first.mels > FLOOR + 2.5).any(axis=2)
    start = loud.argmax(axis=1) - speech.LEAD_FRAMES
    assert np.median(start) == 0 and start.min() == 0 and start.max() <= 6, "words do not start near frame 2"
    assert not (first.mels == 0).any(), "silence is a number of its own, not the zero of absent sound"
    np.testing.assert_allclose(first.mels[:, 60:], FLOOR, rtol=1e-6)
    (kept,) = tmp_path.iterdir()
    stamp = kept.stat().st_mtime_ns
    again = speech.load("train", MEL, cache_dir=tmp_path)
    assert kept.stat().st_mtime_ns == stamp and again.voices == first.voices and again.source == first.source
    np.testing.assert_array_equal(again.mels, first.mels)
    np.testing.assert_array_equal(speech.load("train", MEL).mels, first.mels)


@needs_espeak
def test_unknown_voice_says_so():
    with pytest.raises(DataError, match=r"no voice 'gmw/en-US\+nobody'.*DIGITS_SPEECH_DIR"):
        espeak.speak([espeak.Utterance("one", "gmw/en-US+nobody", 140, 50)])


def test_missing_espeak_names_both_ways_out(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install espeakng-loader.*DIGITS_SPEECH_DIR"):
        speech.load("test", MEL)


def test_crashed_espeak_is_an_error_with_its_reason(monkeypatch, tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text("import os; os.abort()")
    monkeypatch.setattr(espeak, "WORKER", worker)
    if importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("espeakng-loader is not installed")
    with pytest.raises(DataError, match=r"ended with -6.*pip install"):
        espeak.speak([])


def test_unknown_split():
    with pytest.raises(ConfigError, match="did you mean 'test'"):
        speech.load("tests", MEL)


def test_spectrogram_forgets_loudness_silence_around_and_sample_rate():
    plain = speech.spectrogram(np.pad(word(), 100), 8000, MEL)
    np.testing.assert_allclose(
        speech.spectrogram(np.pad(0.1 * word(), (3000, 999)), 8000, MEL), plain, atol=0.01
    )
    resampled = speech.spectrogram(np.pad(word(rate=22050), 300), 22050, MEL)
    strong = plain > -6
    assert strong.sum() > 40
    np.testing.assert_allclose(resampled[strong], plain[strong], atol=0.5)
    assert speech.spectrogram(word(seconds=3.0), 8000, MEL).shape == (64, 32)


@pytest.mark.parametrize("sound", [np.zeros(4000), np.zeros(0), np.array([0.1, np.nan] * 2000)])
def test_spectrogram_of_nothing(sound):
    with pytest.raises(DataError, match="the sound"):
        speech.spectrogram(sound.astype(np.float32), 8000, MEL)


def test_recordings_are_split_by_speaker(recordings):
    parts = {split: speech.load(split, MEL, recordings) for split in speech.SPLITS}
    assert {split: sorted(set(part.voices)) for split, part in parts.items()} == {
        "train": ["ann", "bob"],
        "validation": ["cy"],
        "test": ["dot"],
    }
    assert np.array_equal(parts["train"].labels, [0, 0, 1, 1, 2, 2])
    assert parts["test"].source == "recordings: 3 clips by dot"
    assert parts["test"].skipped == ()


def test_bad_recordings_are_named_skipped_and_counted(recordings, caplog, tmp_path):
    (recordings / "7_ann_1.wav").write_bytes(b"RIFF but no more")
    (recordings / "seven.wav").write_bytes(b"")
    soundfile.write(recordings / "8_ann_1.wav", np.zeros(4000), 8000)
    (recordings / "README.md").write_text("not a sound")
    for _ in range(2):  # anew, and from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            train = speech.load("train", MEL, recordings, tmp_path / "cache")
        assert len(train.labels) == 6 and len(train.skipped) == 3
        for name in ("7_ann_1.wav", "8_ann_1.wav", "seven.wav"):
            assert any(line.startswith(f"{name}: ") for line in train.skipped)
            assert name in caplog.text
        assert "skipped 3 of 9 recordings" in caplog.text


def test_recordings_are_read_under_the_limits_of_all_media(recordings, monkeypatch):
    """The header alone says how long a sound is: a file that claims more is not decoded."""
    long = recordings / "5_ann_0.wav"
    soundfile.write(long, word(seconds=3.0), 8000)
    assert len(speech.load("train", MEL, recordings).labels) == 7
    monkeypatch.setattr(sound_reader, "MAX_SECONDS", 2.0)
    (skipped,) = speech.load("train", MEL, recordings).skipped
    assert skipped.startswith("5_ann_0.wav: ") and "the most is 2 s" in skipped
    long.write_bytes(bytes(100))
    monkeypatch.setattr(sources, "MAX_BYTES", 99)
    with pytest.raises(DataError, match=r"none of 7 recordings .*is \d+ bytes long"):
        speech.load("train", MEL, recordings)


def test_changed_recordings_are_read_again(recordings, tmp_path):
    before = speech.load("test", MEL, recordings, tmp_path / "cache")
    soundfile.write(recordings / "0_dot_1.wav", word(), 8000)
    assert len(speech.load("test", MEL, recordings, tmp_path / "cache").labels) == len(before.labels) + 1


def test_useless_folders_are_refused(recordings, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="holds 0 files"):
        speech.load("train", MEL, empty)
    with pytest.raises(DataError, match="not a folder"):
        speech.load("train", MEL, tmp_path / "nowhere")
    for file in recordings.glob("*_dot_*.wav"):
        file.write_bytes(b"broken")
    with pytest.raises(DataError, match="none of 3 recordings"):
        speech.load("test", MEL, recordings)


def test_cache_depends_on_its_key_and_leaves_nothing_behind(tmp_path):
    made = []

    def build() -> dict[str, np.ndarray]:
        made.append(1)
        return {"value": np.arange(3)}

    for key in ("a", "b", "a"):
        np.testing.assert_array_equal(cached(tmp_path, "x", {"key": key}, build)["value"], np.arange(3))
    assert len(made) == 2 and len(list(tmp_path.iterdir())) == 2
    with pytest.raises(RuntimeError):
        cached(tmp_path, "y", {}, lambda: (_ for _ in ()).throw(RuntimeError()))
    with pytest.raises(TypeError):
        cached(tmp_path, "z", {}, lambda: {1: np.zeros(1)})
    assert len(list(tmp_path.iterdir())) == 2
