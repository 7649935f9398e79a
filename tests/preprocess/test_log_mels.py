"""Log-mel spectrograms of Whisper and CLAP: shapes, padding, ranges. Hugging Face's: tests/parity."""

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.preprocess import log_mels


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).normal(0.0, 0.1, 48_000).astype(np.float32)


def test_whisper_pads_with_silence_and_cuts(noise):
    mel = log_mels.whisper(noise)
    assert mel.shape == (3000, 80) and mel.dtype == np.float32
    assert mel.max() - mel.min() == pytest.approx(2.0)  # eight tenfolds, by four
    assert (mel[310:] == mel.min()).all() and (mel[:299] > mel.min()).all()
    whole = np.resize(noise, 32 * 16_000)
    np.testing.assert_array_equal(log_mels.whisper(whole), log_mels.whisper(whole[: 30 * 16_000]))
    assert log_mels.whisper(noise, mels=128, seconds=5).shape == (500, 128)


def test_clap_repeats_as_often_as_it_fits(noise):
    mel = log_mels.clap(noise[:36_000])
    assert mel.shape == (1001, 64) and mel.dtype == np.float32
    np.testing.assert_allclose(mel[5:70], mel[80:145], atol=0.1)  # a second time, 75 frames later
    assert (mel[980:] == -100.0).all()  # 13 times 0.75 s, then silence


def test_clap_starts_where_it_is_told(noise):
    whole = np.concatenate([noise * gain for gain in np.linspace(0.1, 1.0, 12)])
    late = log_mels.clap(whole, start=48_000)
    np.testing.assert_array_equal(late, log_mels.clap(whole[48_000 : 48_000 + 480_000]))
    with pytest.raises(DataError, match="choose 0 to 96000"):
        log_mels.clap(whole, start=96_001)
    with pytest.raises(DataError, match="choose 0 to 0"):
        log_mels.clap(noise, start=1)


@pytest.mark.parametrize("read", [log_mels.whisper, log_mels.clap])
def test_what_is_no_sound_is_an_error(read):
    for wrong in (np.zeros(0, np.float32), np.zeros((9, 2), np.float32), np.zeros(9, np.int16)):
        with pytest.raises(DataError, match="one row of floats"):
            read(wrong)
