"""Spectrograms in JAX are those of NumPy, and their gradients stay finite where nothing is heard."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import mel
from unified_io.mel import MelConfig
from unified_io.tokenizers import spectrogram

CONFIG = MelConfig(sample_rate=8000, n_fft=256, hop=64, mels=20, fmax=4000.0, frames=32)
RNG = np.random.default_rng(0)
SOUND = (RNG.normal(size=(2, 1500)) * np.linspace(0.01, 0.5, 1500)).astype(np.float32)


def test_log_mels_are_those_of_numpy():
    found = jax.jit(spectrogram.log_mel, static_argnums=1)(SOUND, CONFIG)
    for one, sound in zip(found, SOUND, strict=True):
        expected = mel.logarithm(mel.mel_power(sound, CONFIG))
        np.testing.assert_allclose(one, expected, atol=1e-3)


def test_silence_is_the_least_value_and_moves_within_bounds():
    still = jnp.zeros((1, 1500))
    found, gradient = jax.value_and_grad(lambda x: spectrogram.log_mel(x, CONFIG).mean())(still)
    assert found == pytest.approx(np.log(mel.POWER_RANGE[0]), abs=1e-3)
    assert np.isfinite(gradient).all()
    distance = jax.grad(lambda x: spectrogram.stft_distance(x, SOUND[:1], (128, 256)))(still)
    assert np.isfinite(distance).all()


def test_the_stft_distance_is_that_of_its_definition():
    made, sizes = SOUND[::-1], (128, 256)
    expected = []
    for size in sizes:
        window = np.hanning(size)
        pads = [
            np.pad(x.astype(np.float64), ((0, 0), (size // 2,) * 2), mode="reflect") for x in (made, SOUND)
        ]
        views = [np.lib.stride_tricks.sliding_window_view(p, size, axis=1)[:, :: size // 4] for p in pads]
        a, b = (np.sqrt(np.abs(np.fft.rfft(view * window)) ** 2 + 1e-9) for view in views)
        off = np.linalg.norm(a - b) / np.linalg.norm(b)
        expected.append(off + np.abs(np.log(a) - np.log(b)).mean())
    assert spectrogram.stft_distance(made, SOUND, sizes) == pytest.approx(np.mean(expected), rel=1e-4)
    assert spectrogram.stft_distance(SOUND, SOUND, sizes) == 0


def test_a_silent_sound_does_not_drown_the_others():
    """What a vocoder whispers where it should be still is an error of that sound, not a thousand times one."""
    quiet, rng = np.zeros_like(SOUND[:1]), np.random.default_rng(0)
    whisper = rng.normal(size=quiet.shape).astype(np.float32) * 1e-2
    made, real = np.concatenate([SOUND[1:], whisper]), np.concatenate([SOUND[1:], quiet])
    assert spectrogram.stft_distance(made, real, (128, 256)) < 5
