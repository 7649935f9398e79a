"""Filter banks and log-mel spectrograms against torchaudio's and Hugging Face's."""

import importlib.metadata
import importlib.util
import sys
import types

import numpy as np
import pytest

from unified_io.preprocess import kaldi, log_mels

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def theirs():
    """Of torchaudio only the file that takes filter banks: that is Python alone, its libraries may not fit here."""
    try:
        path = importlib.metadata.distribution("torchaudio").locate_file("torchaudio/compliance/kaldi.py")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("torchaudio is not installed")
    spec = importlib.util.spec_from_file_location("torchaudio_kaldi", str(path))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torchaudio", types.ModuleType("torchaudio"))
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def waveform():
    rng = np.random.default_rng(0)
    at = np.arange(24_000) / 16_000
    return (0.3 * np.sin(2 * np.pi * 440 * at) + 0.05 * rng.normal(size=at.shape) + 0.02).astype(np.float32)


@pytest.mark.parametrize("config", [kaldi.BEATS, kaldi.IMAGEBIND], ids=["beats", "imagebind"])
def test_a_filter_bank_is_torchaudios(theirs, waveform, config):
    sound = torch.from_numpy(waveform).double()[None] * config.scale
    sound = sound - sound.mean() if config.centred else sound
    bank = theirs.fbank(
        sound, num_mel_bins=128, window_type=config.window, sample_frequency=16_000.0, dither=0.0
    )
    wanted = ((bank - config.mean) / config.deviation).numpy()
    ours = kaldi.filter_bank(waveform, config)
    assert ours.shape == wanted.shape and wanted.std() > 0.1
    np.testing.assert_allclose(ours, wanted, atol=1e-5)


def test_silence_is_torchaudios_least(theirs):
    bank = theirs.fbank(torch.zeros(1, 1600).double(), num_mel_bins=128, window_type="hanning").numpy()
    ours = kaldi.filter_bank(np.zeros(1600, np.float32), kaldi.FilterBankConfig(window="hanning"))
    np.testing.assert_allclose(ours, bank, atol=1e-6)


@pytest.mark.parametrize("mels", [80, 128])
@pytest.mark.parametrize("samples", [24_000, 16_000 * 31])
def test_whispers_spectrogram_is_theirs(waveform, mels, samples):
    transformers = pytest.importorskip("transformers")
    waveform = np.resize(waveform, samples)
    extractor = transformers.WhisperFeatureExtractor(feature_size=mels)
    wanted = extractor(waveform, sampling_rate=16_000, return_tensors="np")["input_features"][0].T
    ours = log_mels.whisper(waveform, mels=mels)
    assert ours.shape == wanted.shape == (3000, mels)
    np.testing.assert_allclose(ours, wanted, atol=2e-5)


@pytest.mark.parametrize("samples", [30_000, 480_000, 500_000])
def test_claps_spectrogram_is_theirs(waveform, samples):
    transformers = pytest.importorskip("transformers")
    waveform = np.resize(waveform, samples)
    extractor = transformers.ClapFeatureExtractor(
        frequency_min=50, truncation="rand_trunc", padding="repeatpad"
    )
    np.random.seed(3)
    wanted = extractor(waveform, sampling_rate=48_000, return_tensors="np")["input_features"][0, 0]
    np.random.seed(3)
    start = np.random.randint(0, samples - 480_000 + 1) if samples > 480_000 else 0
    ours = log_mels.clap(waveform, start=start)
    assert ours.shape == wanted.shape == (1001, 64)
    np.testing.assert_allclose(ours, wanted, atol=1e-4)  # decibels, down to -100
