"""One real step of every tokenizer and vocoder at the size of the released ones, its judge beside it."""

import jax
import numpy as np
import pytest

from unified_io.tokenizers.adversary import Adversary
from unified_io.tokenizers.discriminators import PatchConfig, SoundConfig
from unified_io.tokenizers.hifigan import HiFiGAN, HiFiGANConfig
from unified_io.tokenizers.vit_vqgan import ViTVQGAN, ViTVQGANConfig
from unified_io.tokenizers.vqgan import VQGAN, VQGANConfig
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.tokenizer_job import TokenizerJob
from unified_io.train.vocoder_job import VocoderJob

RATE = OptimizerConfig(learning_rate=ScheduleConfig(factors="constant", base=1e-4))
SHARED = {"total_steps": 1, "batch_size": 1, "optimizer": RATE, "judge_optimizer": RATE}
IMAGE, AUDIO, VOCODER = VQGANConfig(), ViTVQGANConfig(), HiFiGANConfig()
JUDGED = Adversary(PatchConfig())
HEARD = Adversary(SoundConfig(), weight=1.0, adaptive=False, kind="squares", feature_weight=2.0)


def media(*shape):
    return np.random.default_rng(0).uniform(-0.9, 0.9, size=shape).astype(np.float32)


CASES = {
    "vqgan": (
        VQGAN(IMAGE),
        TokenizerJob(**SHARED, adversary=JUDGED),
        media(1, IMAGE.resolution, IMAGE.resolution, 3),
    ),
    "vit_vqgan": (
        ViTVQGAN(AUDIO),
        TokenizerJob(**SHARED, adversary=JUDGED),
        media(1, AUDIO.frames, AUDIO.mels, 1),
    ),
    "hifigan": (HiFiGAN(VOCODER), VocoderJob(**SHARED, adversary=HEARD), media(1, 65_280)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_step_at_full_size_moves_the_network_and_its_judge(name):
    network, job, given = CASES[name]
    batch = next(job._batches(given, 0))
    state, step = job._start(network, batch)
    before = jax.device_get((state.params, state.extra["judge"]))
    state, metrics = step(state, batch)
    assert float(metrics["skipped_steps"]) == 0 and np.isfinite(float(metrics["loss"]))
    for old, new in zip(before, jax.device_get((state.params, state.extra["judge"])), strict=True):
        moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), old, new)
        assert np.mean(jax.tree.leaves(moved)) > 0.9
