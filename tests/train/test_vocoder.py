"""A vocoder learns from sounds in memory, resumes exactly, and refuses what does not fit."""

import dataclasses

import numpy as np
import pytest

from unified_io import checkpoint
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.convert import vocoder as vocoders
from unified_io.errors import CheckpointError, ConfigError
from unified_io.mel import MelConfig
from unified_io.tokenizers.adversary import Adversary
from unified_io.tokenizers.discriminators import PatchConfig, SoundConfig
from unified_io.tokenizers.hifigan import HiFiGAN, HiFiGANConfig
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.vocoder import VocoderObjective
from unified_io.train.vocoder_job import VocoderJob

MEL = MelConfig(sample_rate=4000, n_fft=64, hop=16, mels=8, fmax=2000.0, frames=24)
VOCODER = HiFiGAN(
    HiFiGANConfig(
        upsample_rates=(4, 4),
        upsample_kernels=(8, 8),
        channels=16,
        resblock_kernels=(3,),
        resblock_dilations=((1, 2),),
        mels=8,
    )
)
SOUND = SoundConfig(
    periods=(2, 3), period_channels=(4, 8), scales=1, scale_layers=((4, 15, 2, 1), (8, 9, 2, 1))
)
RATE = OptimizerConfig(learning_rate=ScheduleConfig(factors="constant", base=3e-3))
JOB = VocoderJob(
    total_steps=6,
    batch_size=4,
    optimizer=RATE,
    adversary=Adversary(SOUND, weight=1.0, adaptive=False, kind="squares", feature_weight=2.0, start=2),
    judge_optimizer=RATE,
    ema_decay=0.9,
    checkpoint_period=2,
    report_period=100,
    mel=MEL,
    objective=VocoderObjective(stft_weight=1.0, stft_sizes=(32, 64)),
    piece=8,
)


@pytest.fixture(scope="module")
def sounds():
    rng = np.random.default_rng(0)
    time = np.arange(MEL.samples) / MEL.sample_rate
    pitch = rng.uniform(200, 900, size=(16, 1))
    return (0.5 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def leaves(folder):
    return checkpoint.load_params(folder)[0]


def test_a_resumed_run_is_the_same_run(sounds, tmp_path):
    whole = JOB.train(VOCODER, sounds, tmp_path / "whole")
    dataclasses.replace(JOB, total_steps=4).train(VOCODER, sounds, tmp_path / "parts")
    (tmp_path / "parts" / PARAMS_FOLDER).rename(tmp_path / "early")
    parts = JOB.train(VOCODER, sounds, tmp_path / "parts")
    a, b = leaves(whole), leaves(parts)
    assert a.keys() == b.keys()
    np.testing.assert_equal(a, b)


def test_a_model_speaks_with_what_was_trained(sounds, tmp_path):
    """The folder alone is enough, and is said to be no vocoder where it is none."""
    params = leaves(dataclasses.replace(JOB, total_steps=1, ema_decay=None).train(VOCODER, sounds, tmp_path))
    config, loaded = vocoders.load(tmp_path)
    assert config == VOCODER.config
    np.testing.assert_equal(loaded, params)
    other = HiFiGAN(dataclasses.replace(VOCODER.config, channels=8))
    JOB.train(other, sounds, tmp_path)  # which leaves alone what is there
    assert vocoders.load(tmp_path)[0] == VOCODER.config
    with pytest.raises(CheckpointError, match=r"params: the folder holds no vocoder\.json"):
        vocoders.load(tmp_path / PARAMS_FOLDER)


def test_pieces_of_sound_are_what_their_spectrograms_heard(sounds):
    batch = next(JOB._batches(sounds, 3))
    again = next(JOB._batches(sounds, 3))
    np.testing.assert_equal(batch, again)
    assert batch["log_mel"].shape == (4, 8, 8) and batch["sound"].shape == (4, 8 * 16)
    # Each piece lies in one of the sounds, or runs out at its end.
    padded = np.pad(sounds, ((0, 0), (0, 16)))
    views = np.lib.stride_tricks.sliding_window_view(padded, 128, axis=1)[:, ::16].reshape(-1, 128)
    for piece in batch["sound"]:
        assert np.abs(views - piece).max(1).min() == 0


def test_it_learns_to_sound_alike(sounds, tmp_path):
    job = dataclasses.replace(
        JOB, total_steps=120, adversary=None, ema_decay=None, report_period=20, checkpoint_period=200
    )
    job.train(VOCODER, sounds, tmp_path)
    lines = [
        float(line.split('"mel_l1": ')[1].split(",")[0].rstrip("}"))
        for line in (tmp_path / f"{tmp_path.name}.jsonl").read_text().splitlines()
        if '"mel_l1"' in line
    ]
    assert lines[-1] < 0.7 * lines[0]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"mel": dataclasses.replace(MEL, hop=8)}, "upsample_rates multiply to the hop"),
        ({"piece": 24}, "fewer frames than the 24"),
        ({"piece": 1}, "give more than 32 samples"),
        ({"adversary": Adversary(PatchConfig(channels=8, groups=4))}, "give the adversary a SoundConfig"),
    ],
)
def test_what_does_not_fit_is_refused(change, words, sounds, tmp_path):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(JOB, **change).train(VOCODER, sounds, tmp_path)
