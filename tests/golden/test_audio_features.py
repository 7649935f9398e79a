"""Waveform to mel against the official PyTorch port (librosa inside)."""

import numpy as np
import pytest

from unified_io.mel import MelConfig, log_mel, mel_filters, mel_power

CONFIG = MelConfig()


@pytest.fixture(scope="module")
def fixture(golden):
    folder = golden("audio_features")
    inputs, outputs = np.load(folder / "inputs.npz"), np.load(folder / "outputs.npz")
    waveform = inputs["waveform_int16"].astype(np.float32) / 32768
    rest = np.pad(waveform[CONFIG.samples :], (0, 2 * CONFIG.samples - len(waveform)))
    return waveform, (waveform[: CONFIG.samples], rest), outputs


def test_filters(fixture):
    np.testing.assert_allclose(mel_filters(CONFIG).T, fixture[2]["mel_filter"], atol=1e-8)


def test_power(fixture):
    waveform, segments, outputs = fixture
    for segment, expected in zip(segments, outputs["segments/mel"], strict=True):
        np.testing.assert_allclose(mel_power(segment, CONFIG).T, expected, atol=1e-3, rtol=1e-5)
    np.testing.assert_allclose(
        mel_power(waveform[:20000], CONFIG).T, outputs["short/mel"], atol=1e-3, rtol=1e-5
    )


def test_log_mel_makes_the_model_inputs(fixture):
    """The last segment is the audio input, the other one the first frame of the history; 16 x 16 patches."""
    _, segments, outputs = fixture
    for segment, name, frame in zip(segments[::-1], ("audio", "audio_history"), ((), (0,)), strict=True):
        mel = (log_mel(segment, CONFIG) + 4.26) / 9.14
        patches = mel.reshape(16, 16, 8, 16).swapaxes(1, 2).reshape(128, 256)
        rows = outputs[f"model/inputs/{name}/input_rows_idx"]
        np.testing.assert_allclose(
            patches[rows], outputs[f"model/inputs/{name}/input_rows"][frame], atol=1e-5
        )
        np.testing.assert_allclose(
            patches.mean(-1), outputs[f"model/inputs/{name}/input_mean"][frame], atol=1e-5
        )
