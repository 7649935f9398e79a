"""Sounds of every kind are read, resampled, cut and written."""

import io
import struct

import numpy as np
import pytest
import soundfile

from unified_io.errors import DataError
from unified_io.mel import MelConfig
from unified_io.preprocess import sound

RATE = 8000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
MEL = MelConfig()


def as_file(waveform, rate=RATE, kind="WAV", subtype=None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind, subtype, error",
    [
        ("WAV", "PCM_U8", 1 / 100),
        ("WAV", "PCM_16", 1 / 30000),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 1e-7),
        ("WAV", "DOUBLE", 1e-7),
        ("FLAC", "PCM_16", 1 / 30000),
        ("AIFF", "PCM_16", 1 / 30000),
        ("OGG", "VORBIS", 0.1),
    ],
)
def test_files_of_many_kinds_are_read(kind, subtype, error):
    waveform = sound.read(as_file(TONE, kind=kind, subtype=subtype), RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, TONE, atol=error)


def test_a_path_bytes_and_an_array_are_the_same_sound(tmp_path):
    sound.write_wav(tmp_path / "a.wav", TONE, RATE)
    content = (tmp_path / "a.wav").read_bytes()
    for value in (tmp_path / "a.wav", str(tmp_path / "a.wav"), content, TONE, (TONE, RATE)):
        np.testing.assert_allclose(sound.read(value, RATE), TONE, atol=1 / 32000)
    samples, rate = sound.read_file(content)
    assert samples.shape == (RATE, 1) and rate == RATE


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_averaged(channels):
    waveform = np.stack([TONE * (c + 1) / channels for c in range(channels)], axis=1)
    for value in (as_file(waveform, subtype="FLOAT"), waveform):
        np.testing.assert_allclose(sound.read(value, RATE), waveform.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    "whole",
    [(TONE * 32767).astype(np.int16), (TONE * 2e9).astype(np.int32), (TONE * 127 + 128).astype(np.uint8)],
)
def test_whole_numbers_are_scaled(whole):
    np.testing.assert_allclose(sound.read(whole, RATE), TONE, atol=0.05)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 44101])
def test_other_rates_are_resampled(rate):
    time = np.arange(rate) / rate
    tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    waveform = sound.read((tone, rate), RATE)
    assert abs(len(waveform) - RATE) <= 1 and waveform.dtype == np.float32
    np.testing.assert_allclose(waveform[500:7500], TONE[500:7500], atol=2e-3)


def test_resampling_keeps_what_is_too_high_out():
    hiss = np.sin(2 * np.pi * 6000 * np.arange(16000) / 16000).astype(np.float32)
    assert np.abs(sound.read((hiss, 16000), RATE)[500:-500]).max() < 1e-3


def test_writing_and_reading_give_the_sound_back(tmp_path):
    loud = np.array([2.0, -2.0, 0.25, 0.0], np.float32)
    sound.write_wav(tmp_path / "a.wav", loud, RATE)
    assert soundfile.info(str(tmp_path / "a.wav")).subtype == "PCM_16"
    np.testing.assert_allclose(sound.read(tmp_path / "a.wav", RATE), [1, -1, 0.25, 0], atol=1 / 16000)
    with pytest.raises(DataError, match="NaN"):
        sound.write_wav(tmp_path / "b.wav", np.array([np.nan]), RATE)


@pytest.mark.parametrize(
    "value, word",
    [
        (np.zeros(0, np.float32), "samples in it"),
        (np.zeros((0, 2), np.float32), "samples in it"),
        (np.zeros((3, 2, 2), np.float32), "shape"),
        (np.float32(1), "shape"),
        (np.zeros((2, 9), np.float32), "transpose"),
        (np.array([0.1, np.nan], np.float32), "NaN"),
        (np.array([0.1, np.inf], np.float32), "infinity"),
        (np.array([3.0, 3000.0], np.float32), "32768"),
        (np.array([1, 2]), "int64"),
        (np.array(["a"]), "give floats"),
        ((TONE, 0), "sample rate"),
        ((TONE, -16000), "sample rate"),
        ((TONE, 440.5), "sample rate"),
        ((TONE, float("nan")), "sample rate"),
        ((TONE, 1e9), "sample rate"),
        ((TONE, [8000]), "sample rate"),
        ((TONE, "8000"), "sample rate"),
        (np.zeros((100, 65), np.float32), "65 channels; the most is 64"),
        (b"RIFF nothing", "convert it"),
        (b"", "0 bytes long"),
        ("nowhere.wav", "no sound at 'nowhere.wav'"),
        (as_file(np.zeros(0, np.float32)), "samples in it"),
        (as_file(np.array([np.nan] * 9, np.float32), subtype="FLOAT"), "NaN"),
        (as_file(TONE, kind="FLAC")[:60], "a sound of 60 bytes"),
    ],
)
def test_what_is_no_sound_is_an_error(value, word):
    with pytest.raises(DataError, match=word):
        sound.read(value, RATE)


def test_too_long_sounds_are_refused_before_they_are_decoded(monkeypatch):
    content = as_file(np.zeros((RATE, 4), np.int16), kind="FLAC")
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    for name, most in (("MAX_SECONDS", 0.9), ("MAX_SAMPLES", 4 * RATE - 1)):
        with monkeypatch.context() as patch:
            patch.setattr(sound, name, most)
            with pytest.raises(DataError, match="1 s in 4 channels; the most is"):
                sound.read(content, RATE)
            with pytest.raises(DataError, match="the most is"):
                sound.read(np.zeros((RATE, 4), np.float32), RATE)


def wav(samples: bytes, *, channels=1, rate=RATE, bits=16, data_bytes=None, riff_bytes=None) -> bytes:
    """A WAV file of PCM whose header says what it is told to."""
    frame = channels * bits // 8
    about = struct.pack("<HHIIHH", 1, channels, rate, (rate * frame) % 2**32, frame % 2**16, bits)
    size = len(samples) if data_bytes is None else data_bytes
    body = b"WAVEfmt " + struct.pack("<I", len(about)) + about + b"data" + struct.pack("<I", size) + samples
    return b"RIFF" + struct.pack("<I", len(body) if riff_bytes is None else riff_bytes) + body


PCM = (TONE * 32767).astype("<i2").tobytes()


def test_a_plain_wav_is_read():
    np.testing.assert_allclose(sound.read(wav(PCM), RATE), TONE, atol=1e-4)


@pytest.mark.parametrize("claim", [{"data_bytes": 2**32 - 1}, {"data_bytes": 2**31, "riff_bytes": 2**31}])
def test_what_a_header_claims_beyond_the_file_is_not_made_up(claim, monkeypatch):
    made = []
    empty = np.empty
    monkeypatch.setattr(
        np, "empty", lambda shape, *rest, **more: made.append(shape) or empty(shape, *rest, **more)
    )
    waveform = sound.read(wav(PCM, **claim), RATE)
    np.testing.assert_allclose(waveform, TONE, atol=1e-4)
    assert all(np.prod(shape) <= len(TONE) for shape in made), made


@pytest.mark.parametrize(
    "content, word",
    [
        (wav(PCM, channels=1000), "1000 channels"),
        (wav(PCM, channels=0), "a sound of"),
        (wav(PCM, bits=0), "a sound of"),
        (wav(PCM, rate=0), "a sound of|sample rate"),
        (wav(PCM, rate=1), "the most is 3600 s|sample rate"),
        (wav(PCM, rate=2**31 - 1), "sample rate"),
        (wav(b""), "samples in it"),
        (wav(PCM)[:20], "a sound of 20 bytes"),
        (wav(PCM)[:43], "a sound of 43 bytes|samples in it"),
        (wav(PCM).replace(b"WAVE", b"WAVY"), "a sound of"),
        (wav(PCM).replace(b"data", b"dada"), "a sound of|samples in it"),
    ],
)
def test_headers_that_can_not_be_are_errors(content, word):
    with pytest.raises(DataError, match=word):
        sound.read(content, RATE)


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "AIFF", "WAV"])
def test_a_sound_cut_anywhere_is_shorter_or_an_error(kind):
    content = as_file(TONE, kind=kind)
    for cut in np.linspace(0, len(content) - 1, 25).astype(int):
        try:
            waveform = sound.read(content[:cut], RATE)
        except DataError:
            continue
        assert len(waveform) <= len(TONE) and np.isfinite(waveform).all()


@pytest.mark.parametrize(
    "seconds, count",
    [
        (0.01, 1),
        (2.0, 1),
        (4.08, 1),
        (6.1, 1),
        (6.3, 2),
        (6.6, 2),
        (8.16, 2),
        (10.0, 2),
        (10.4, 3),
        (30.0, 7),
    ],
)
def test_a_rest_counts_if_it_is_longer_than_half_a_segment_and_a_tenth_of_a_second(seconds, count):
    waveform = np.ones(round(seconds * MEL.sample_rate), np.float32)
    cut = sound.segments(waveform, MEL)
    assert cut.shape == (count, MEL.samples)
    assert cut.sum() == min(len(waveform), count * MEL.samples)


def test_segments_follow_each_other_and_the_last_is_padded_at_its_end():
    waveform = np.arange(1, 100_001, dtype=np.float32)
    cut = sound.segments(waveform, MEL)
    np.testing.assert_array_equal(cut.reshape(-1)[:100_000], waveform)
    assert not cut.reshape(-1)[100_000:].any()


@pytest.mark.parametrize("seconds, missing", [(2.0, 33280), (4.0, 1280), (0.00625 * 3, 64980)])
def test_short_segments_lie_in_the_middle_of_silence(seconds, missing):
    length = MEL.samples - missing
    cut = sound.segments(np.ones(2 * length, np.float32), MEL, seconds)
    assert cut.shape == (2, MEL.samples)
    assert (cut[:, missing // 2 : missing // 2 + length] == 1).all() and cut.sum() == 2 * length


def test_of_long_segments_the_middle_is_taken():
    length = 5 * MEL.sample_rate
    waveform = np.arange(2 * length, dtype=np.float32)
    cut = sound.segments(waveform, MEL, 5.0)
    start = (length - MEL.samples) // 2
    np.testing.assert_array_equal(cut[1], waveform[length + start : length + start + MEL.samples])


@pytest.mark.parametrize("samples", [1601, 16003, 31997, 80003])
def test_a_sound_cut_in_parts_has_that_many(samples):
    waveform = np.ones(samples, np.float32)
    assert len(sound.segments(waveform, MEL, samples / 5 / MEL.sample_rate)) == 5


def test_the_length_of_a_spectrogram_in_seconds_is_that_of_a_spectrogram():
    waveform = np.random.default_rng(0).random(3 * MEL.samples, np.float32)
    np.testing.assert_array_equal(sound.segments(waveform, MEL, 4.08), sound.segments(waveform, MEL))


def test_of_nothing_there_are_no_segments():
    assert sound.segments(np.zeros(0, np.float32), MEL).shape == (0, MEL.samples)
    with pytest.raises(DataError, match="longer"):
        sound.segments(TONE, MEL, 0.0)
