"""Filter banks: frames, floors, and what BEATs and ImageBind make of them. torchaudio: tests/parity."""

import numpy as np
import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.preprocess import kaldi

RATE = 16_000


def tone(hertz, seconds):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(0.0, 0.1, 3 * RATE).astype(np.float32)


def test_frames_fit_into_the_sound():
    plain = kaldi.FilterBankConfig()
    assert [len(kaldi.filter_bank(np.zeros(n, np.float32), plain)) for n in (400, 559, 560, 16_000)] == [
        1,
        1,
        2,
        98,
    ]


def test_a_tone_is_loudest_in_its_band():
    plain = kaldi.FilterBankConfig(mels=40)
    edges = np.linspace(*(1127 * np.log(1 + f / 700) for f in (20.0, 8000.0)), 42)
    for hertz in (300.0, 1000.0, 4000.0):
        band = kaldi.filter_bank(tone(hertz, 0.5), plain).mean(axis=0).argmax()
        assert edges[band] < 1127 * np.log(1 + hertz / 700) < edges[band + 2]


def test_silence_is_the_least_energy_and_scaling_adds():
    plain = kaldi.FilterBankConfig(mels=40)
    np.testing.assert_allclose(
        kaldi.filter_bank(np.zeros(800, np.float32), plain), -23 * np.log(2), atol=1e-5
    )
    louder = kaldi.FilterBankConfig(mels=40, scale=8.0)
    rng = np.random.default_rng(0).normal(size=800).astype(np.float32)
    np.testing.assert_allclose(
        kaldi.filter_bank(rng, louder), kaldi.filter_bank(rng, plain) + 6 * np.log(2), atol=1e-5
    )


def test_beats_reads_two_segments_and_knows_which_frames_are_real(noise):
    bank, mask = kaldi.beats(noise)
    assert bank.shape == (2, 512, 128) and mask.shape == (2, 512)
    assert mask.sum() == 1 + (3 * RATE - 400) // 160 and mask.reshape(-1)[:298].all()
    assert (bank[~mask] == 0).all() and (bank[mask] != 0).all()
    np.testing.assert_array_equal(bank.reshape(-1, 128)[:298], kaldi.filter_bank(noise, kaldi.BEATS))
    longer, mask = kaldi.beats(np.tile(noise, 5))
    assert mask.all()
    np.testing.assert_array_equal(
        longer.reshape(-1, 128), kaldi.filter_bank(np.tile(noise, 5), kaldi.BEATS)[:1024]
    )


def test_imagebind_reads_clips_from_end_to_end(noise):
    clips = kaldi.imagebind(noise)
    assert clips.shape == (3, 204, 128)
    for clip, start in zip(clips, (0, RATE // 2, RATE), strict=True):
        bank = kaldi.filter_bank(noise[start : start + 2 * RATE], kaldi.IMAGEBIND)
        assert len(bank) == 198
        np.testing.assert_array_equal(clip[:198], bank)
        np.testing.assert_allclose(clip[198:], 4.268 / 9.138, atol=1e-6)
    short = kaldi.imagebind(noise[:RATE])
    np.testing.assert_array_equal(short[0], short[2])


def test_the_mean_of_a_sound_does_not_count_for_imagebind(noise):
    np.testing.assert_allclose(
        kaldi.filter_bank(noise + np.float32(0.3), kaldi.IMAGEBIND),
        kaldi.filter_bank(noise, kaldi.IMAGEBIND),
        atol=1e-4,
    )


def test_what_is_no_sound_is_an_error():
    with pytest.raises(DataError, match="399 samples but a frame has 400"):
        kaldi.beats(np.zeros(399, np.float32))
    with pytest.raises(DataError, match="mix channels first"):
        kaldi.filter_bank(np.zeros((800, 2), np.float32), kaldi.BEATS)
    with pytest.raises(DataError, match="int16"):
        kaldi.filter_bank(np.zeros(800, np.int16), kaldi.BEATS)
    with pytest.raises(ConfigError, match="'hanning'"):
        kaldi.FilterBankConfig(window="haning")
    with pytest.raises(ConfigError, match="below half"):
        kaldi.FilterBankConfig(fmin=8000.0)
