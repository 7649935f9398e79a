"""Spoken sentences: voices are held out, the same line is the same sound, and without espeak-ng one is told so."""

import dataclasses
import importlib.util

import numpy as np
import pytest

from data_tasks.digits import espeak
from data_tasks.sources.stored import Context, Reading
from data_tasks.toy import speech, spoken_digits
from data_tasks.toy.sentences import sentence
from data_tasks.toy.splits import HELD_OUT_PAIRS, HELD_OUT_SHAPE, generator
from unified_io.errors import ConfigError, DataError
from unified_io.mel import MelConfig

MEL = MelConfig(sample_rate=8000, n_fft=256, hop=128, mels=32, fmin=0.0, fmax=4000.0, frames=64)
needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)


def lines(split, count=100):
    return [speech.line(split, index) for index in range(count)]


def accent_and_variant(lines):
    voices = [one.voice.removeprefix("gmw/").split("+") for one in lines]
    return {accent for accent, _ in voices}, {variant for _, variant in voices}


def context(folder, data_dir=None, mel=MEL):
    return Context(folder, Reading(data_dir=data_dir, mel=mel), "train")


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    monkeypatch.delenv("UNIFIED_IO_DATA", raising=False)
    speech._batch.cache_clear()


@pytest.fixture
def hummed(monkeypatch):
    """espeak-ng replaced by a hum as long as the line has letters; counts the batches."""
    batches = []

    def speak(utterances):
        batches.append(len(utterances))
        sounds = [np.sin(np.arange(800 * len(one.text)) / 9).astype(np.float32) / 3 for one in utterances]
        return espeak.Said(sounds, 16000, [np.zeros(1, np.int32) for _ in utterances])

    monkeypatch.setattr(espeak, "speak", speak)
    monkeypatch.setattr(espeak, "version", lambda: "hum")
    return batches


@pytest.mark.parametrize("make", [speech.line, spoken_digits.line])
def test_no_accent_and_no_voice_is_in_two_splits(make):
    said = {
        split: accent_and_variant([make(split, index) for index in range(250)]) for split in speech.LENGTHS
    }
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not said[one][0] & said[other][0] and not said[one][1] & said[other][1]


def test_no_sentence_is_in_two_splits_but_all_words_are_trained_on():
    said = {
        split: {one.text for one in lines(split, n)}
        for split, n in (("train", 2000), ("validation", 128), ("test", 128))
    }
    assert not said["train"] & said["validation"] and not said["train"] & said["test"]
    assert not said["validation"] & said["test"]
    words = {split: {word for text in texts for word in text.split()} for split, texts in said.items()}
    assert words["test"] | words["validation"] <= words["train"]


def test_held_out_pairs_of_shape_and_colour_are_never_spoken_in_training():
    texts = [sentence("train", generator("train", index, "try")) for index in range(1500)]
    assert not any(f"{colour} {shape}" in text for text in texts for shape, colour in HELD_OUT_PAIRS)
    assert not any(HELD_OUT_SHAPE in text for text in texts)
    assert len(set(texts)) > 700


def test_a_line_is_the_same_again_and_unknown_splits_are_refused():
    assert lines("test", 20) == lines("test", 20)
    assert speech.spoken("test", 3)["caption"] == f"a voice that says: {speech.line('test', 3).text}"
    for make in (speech.line, spoken_digits.line):
        with pytest.raises(ConfigError, match="split"):
            make("tset", 0)


def test_long_sentences_have_earlier_segments_and_short_ones_none(hummed, tmp_path):
    index = max(range(16), key=lambda one: len(speech.line("train", one).text))
    record = speech.spoken("train", index)
    current = speech.Spoken()(record, context(tmp_path))
    earlier = speech.Spoken(history=True)(record, context(tmp_path))
    assert current.shape == (64, 32)
    # The hum lasts 0.05 s a letter; a segment of this spectrogram 1.008 s.
    assert 1 <= len(earlier) <= 4 and all(one.shape == (64, 32) for one in earlier)
    long = dataclasses.replace(MEL, frames=1024)
    assert speech.Spoken(history=True)(record, context(tmp_path, mel=long)) == []


def test_lines_are_spoken_in_batches_and_kept_where_the_data_lie(hummed, tmp_path):
    folder = tmp_path / "toy_transcribe"
    for index in (0, 1, 15, 16):
        speech.Spoken()(speech.spoken("train", index), context(folder, str(tmp_path)))
    assert hummed == [16, 16]
    assert len(list(folder.glob("spoken-*.npz"))) == 2
    speech._batch.cache_clear()
    speech.Spoken()(speech.spoken("train", 2), context(folder, str(tmp_path)))
    assert hummed == [16, 16]  # read from the file


def test_nothing_is_written_where_no_folder_was_given(hummed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    speech.Spoken()(speech.spoken("train", 0), context(tmp_path / "data"))
    assert not list(tmp_path.iterdir())


def test_without_espeak_one_is_told_what_to_install(monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "espeakng_loader" else find(name, *rest),
    )
    with pytest.raises(DataError, match="pip install espeakng-loader"):
        speech.Spoken()(speech.spoken("train", 0), context(tmp_path))


@needs_espeak
def test_espeak_speaks_every_split_and_always_alike():
    for split in speech.LENGTHS:
        sound, rate = speech.Spoken().sound(split, 5)
        assert rate == 22050 and np.abs(sound).max() > 0.05
        # A word lasts about a third of a second at these rates.
        words = len(speech.line(split, 5).text.split())
        assert 0.12 * words < len(sound) / rate < 0.9 * words + 0.5
    again = sound.copy()
    speech._batch.cache_clear()
    np.testing.assert_array_equal(speech.Spoken().sound(split, 5)[0], again)


@needs_espeak
def test_espeak_speaks_digits(tmp_path):
    record = spoken_digits.word("test", 7)
    assert record["name"] == "seven"
    mel = spoken_digits.SPOKEN(record, context(tmp_path))
    assert mel.shape == (64, 32) and np.exp(mel).sum(axis=1).max() > 1.0
