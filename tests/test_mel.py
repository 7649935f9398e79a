"""Sound to mel and back."""

import dataclasses

import librosa
import numpy as np
import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.mel import MelConfig, griffin_lim, log_mel, logarithm, mel_filters, mel_power, power, window

TINY = MelConfig(sample_rate=8000, n_fft=256, hop=128, mels=32, fmin=0.0, fmax=4000.0, frames=64)


@pytest.fixture
def sound() -> np.ndarray:
    """A rising chirp with overtones in faint noise, as long as one segment."""
    time = np.arange(TINY.samples) / TINY.sample_rate
    phase = 2 * np.pi * (200 * time + 250 * time**2)
    noise = np.random.default_rng(0).normal(size=time.shape) * 0.003
    return (0.3 * np.sin(phase) + 0.15 * np.sin(2 * phase) + noise).astype(np.float32)


@pytest.mark.parametrize(
    "config", [MelConfig(), TINY, dataclasses.replace(TINY, mels=20, fmin=90.0, fmax=3700.0)]
)
def test_filters_are_slaneys(config):
    expected = librosa.filters.mel(
        sr=config.sample_rate, n_fft=config.n_fft, n_mels=config.mels, fmin=config.fmin, fmax=config.fmax
    )
    np.testing.assert_allclose(mel_filters(config).T, expected, atol=1e-8)


def test_power_is_librosas_with_a_symmetric_window(sound):
    expected = librosa.feature.melspectrogram(
        y=sound, sr=8000, n_fft=256, hop_length=128, n_mels=32, fmax=4000.0, window=np.hanning(256), pad_mode="reflect"
    )  # fmt: skip
    power = mel_power(sound, TINY)
    assert power.dtype == np.float32
    np.testing.assert_allclose(power.T, expected, rtol=1e-4, atol=1e-6)


def test_power_is_that_of_a_fourier_transform_under_a_symmetric_window(sound):
    np.testing.assert_allclose(window(256), window(256)[::-1], atol=1e-6)
    assert window(256)[0] == 0
    start = 10 * TINY.hop - TINY.n_fft // 2
    frame = sound[start : start + TINY.n_fft].astype(np.float64) * np.hanning(TINY.n_fft)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(TINY.n_fft // 2 + 1), np.arange(TINY.n_fft)) / TINY.n_fft)
    np.testing.assert_allclose(power(sound, TINY)[10], np.abs(waves @ frame) ** 2, rtol=1e-3, atol=1e-6)


def test_the_logarithm_is_clipped_and_leaves_zeros_alone():
    values = np.array([[0.0, 1e-9, 1e-5, 1.0, 1e9]], np.float32)
    np.testing.assert_allclose(logarithm(values)[0], np.log([1, 1e-5, 1e-5, 1, 1e5]), rtol=1e-6)


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 2500.0])
def test_a_tone_is_loudest_in_its_band(hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(TINY.samples) / TINY.sample_rate).astype(np.float32)
    centres = librosa.mel_frequencies(n_mels=TINY.mels + 2, fmin=0.0, fmax=4000.0)[1:-1]
    loudest = centres[log_mel(tone, TINY)[5:-5].argmax(axis=1)]
    assert np.abs(loudest - hertz).max() < 130


def test_silence_stays_zero_and_sound_is_a_clipped_logarithm(sound):
    sound[3000:] = 0
    mel = log_mel(sound, TINY)
    first_silent = (3000 + TINY.n_fft // 2) // TINY.hop + 1
    assert mel.shape == (64, 32)
    assert mel.dtype == np.float32
    assert not mel[first_silent:].any()
    power = mel_power(sound, TINY)[: first_silent - 1]
    np.testing.assert_allclose(mel[: first_silent - 1], np.log(np.clip(power, 1e-5, 1e5)), rtol=1e-5)
    assert not log_mel(np.zeros(100, np.float32), TINY).any()
    assert not log_mel(np.zeros(0, np.float32), TINY).any()
    assert log_mel(1e-9 * sound, TINY)[:10].min() == pytest.approx(np.log(1e-5))


def test_a_short_sound_is_padded_and_a_long_one_cut(sound):
    padded = np.concatenate([sound[:3000], np.zeros(TINY.samples - 3000, np.float32)])
    np.testing.assert_array_equal(log_mel(sound[:3000], TINY), log_mel(padded, TINY))
    longer = np.concatenate([sound, sound])
    np.testing.assert_array_equal(log_mel(longer, TINY), log_mel(sound, TINY))


def test_mel_to_sound_to_mel_is_close(sound):
    sound[5000:] = 0
    mel = log_mel(sound, TINY)
    back = griffin_lim(mel, TINY)
    assert back.shape == (TINY.samples,)
    assert back.dtype == np.float32
    again = log_mel(back, TINY)
    error = np.abs(again - mel)
    heard = (mel > np.log(1e-2)) & (mel != 0)
    assert heard.mean() > 0.1
    assert np.median(error[heard]) < 0.1
    assert error[heard & (mel > 0)].mean() < 0.1
    assert np.abs(back[5400:]).max() < 1e-4
    np.testing.assert_array_equal(back, griffin_lim(mel, TINY))


def test_errors_say_what_to_do(sound):
    with pytest.raises(ConfigError, match="fmax <= 4000"):
        MelConfig(sample_rate=8000)
    with pytest.raises(ConfigError, match="smaller n_fft"):
        MelConfig(frames=2)
    with pytest.raises(DataError, match="mix channels"):
        log_mel(np.stack([sound, sound], 1), TINY)
    with pytest.raises(DataError, match="row of floats"):
        mel_power((sound * 1000).astype(np.int16), TINY)
    with pytest.raises(DataError, match="pad it"):
        mel_power(sound[:100], TINY)
    with pytest.raises(DataError, match="own config"):
        griffin_lim(np.zeros((64, 31)), TINY)
