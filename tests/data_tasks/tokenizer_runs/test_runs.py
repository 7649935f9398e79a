"""Runs that train tokenizers and vocoders: from media to the page, with few steps of tiny networks."""

import dataclasses
import json

import numpy as np
import pytest

from data_tasks.tokenizer_runs import media
from data_tasks.tokenizer_runs.media import Photos, Spoken
from data_tasks.tokenizer_runs.pictures import PictureRun, sharpness
from data_tasks.tokenizer_runs.spectra import SpectrumRun, SpectrumTokenizer
from data_tasks.tokenizer_runs.waves import WaveRun
from unified_io.errors import CheckpointError, ConfigError
from unified_io.mel import MelConfig
from unified_io.tokenizers.adversary import Adversary
from unified_io.tokenizers.discriminators import PatchConfig, SoundConfig
from unified_io.tokenizers.hifigan import HiFiGANConfig
from unified_io.tokenizers.vit_vqgan import ViTVQGANConfig
from unified_io.tokenizers.vqgan import VQGANConfig
from unified_io.train.tokenizer_job import TokenizerJob
from unified_io.train.vocoder_job import VocoderJob

MEL = MelConfig(sample_rate=4000, n_fft=64, hop=16, mels=16, fmax=2000.0, frames=32)
VQ = VQGANConfig(8, (1, 2), 1, (), 16, 4, 4, 16, 4)
JUDGE = Adversary(PatchConfig(channels=8, layers=1, groups=4))
JOB = TokenizerJob(total_steps=2, batch_size=4)
WAYS = {"judged": dataclasses.replace(JOB, adversary=JUDGE, ema_decay=0.9), "alone": JOB}


@dataclasses.dataclass(frozen=True)
class Whistles:
    """Ten digits as ten pitches, so that nobody has to speak."""

    mel: MelConfig = MEL

    def training(self):
        return self._drawn(40, 0)

    def unseen(self):
        return self._drawn(20, 1)

    def _drawn(self, count, seed):
        rng, labels = np.random.default_rng(seed), np.arange(count) % 10
        time = np.arange(self.mel.samples) / self.mel.sample_rate
        sounds = (
            np.sin(2 * np.pi * (200 + 150 * labels[:, None] + rng.uniform(0, 20, (count, 1))) * time) * 0.3
        )
        return Spoken(sounds.astype(np.float32), labels)


@pytest.fixture(scope="module")
def picture_run(tmp_path_factory):
    run = PictureRun(
        model_dir=str(tmp_path_factory.mktemp("pictures")), tokenizer=VQ, ways=WAYS, photos=Photos(16, 12, 6)
    )
    run.check()
    run.train()
    return run


def scores(run):
    return json.loads(open(f"{run.model_dir}/report.json").read())["scores"]


def test_every_way_is_judged_by_photographs_it_never_saw(picture_run):
    found = scores(picture_run)
    for way in WAYS:
        assert {
            f"{way}, {what}" for what in ("PSNR", "SSIM", "sharpness", "usage", "perplexity")
        } <= found.keys()
    real = picture_run.photos.unseen()
    assert real.shape == (6, 16, 16, 3) and real.min() >= 0 and real.max() <= 1
    assert not set(media.photos.PHOTOS["train"]) & set(media.photos.PHOTOS["test"])


def test_what_is_trained_is_not_trained_again(picture_run, capsys):
    picture_run.train()
    assert "step " not in capsys.readouterr().err


def test_sharpness_is_the_length_of_the_gradient():
    slope = np.broadcast_to(np.arange(8.0)[:, None, None] * 0.1, (1, 8, 8, 3))
    np.testing.assert_allclose(sharpness(slope), [0.1])
    assert sharpness(np.zeros((1, 8, 8, 3))) == [0.0]


def test_a_tokenizer_and_a_vocoder_of_sounds_are_heard_by_the_recogniser(tmp_path):
    tokenizer = SpectrumTokenizer(
        ViTVQGANConfig(
            width=16, num_heads=2, head_dim=8, num_layers=1, mlp_dim=16, patch=8, codebook_size=16, code_dim=4,
            frames=32, mels=16,
        ),
    )  # fmt: skip
    spectra = SpectrumRun(
        model_dir=str(tmp_path / "spectra"), tokenizer=tokenizer, ways={"alone": JOB}, voices=Whistles()
    )
    spectra.check()
    spectra.train()
    found = scores(spectra)
    # Ten pitches are told apart by anybody: the recogniser is one.
    assert found["real, understood"]["score"] > 0.8
    assert {"alone, understood", "alone, log-mel L1", "alone, usage"} <= found.keys()

    sound = SoundConfig(periods=(2,), period_channels=(4, 4), scales=1, scale_layers=((4, 15, 2, 1),))
    shape = HiFiGANConfig(
        upsample_rates=(4, 4), upsample_kernels=(8, 8), channels=8, resblock_kernels=(3,),
        resblock_dilations=((1,),), mels=16,
    )  # fmt: skip
    job = VocoderJob(
        total_steps=2,
        batch_size=2,
        mel=MEL,
        piece=8,
        adversary=Adversary(sound, adaptive=False, kind="squares"),
    )
    run = WaveRun(
        str(tmp_path / "waves"), shape, job, Whistles(), tokenizer, str(tmp_path / "spectra" / "alone")
    )
    run.check()
    with pytest.raises(CheckpointError):
        run.report()
    run.train()
    found = scores(run)
    assert found["real, understood"]["score"] > 0.8
    for name in ("vocoder", "Griffin-Lim", "vocoder on codes"):
        assert {f"{name}, understood", f"{name}, log-mel L1", f"{name}, STFT distance"} <= found.keys()
    near, far = (found[f"{name}, log-mel L1"]["score"] for name in ("Griffin-Lim", "vocoder"))
    assert near < far, "two steps teach nothing, and Griffin-Lim needs none"


@pytest.mark.parametrize(
    "run, words",
    [
        (PictureRun(model_dir="x", tokenizer=VQ, ways={}), "give ways"),
        (
            PictureRun(model_dir="x", tokenizer=VQ, ways=WAYS, photos=Photos(15)),
            "multiple of that",
        ),
        (
            SpectrumRun(
                model_dir="x", tokenizer=SpectrumTokenizer(ViTVQGANConfig()), ways=WAYS, voices=Whistles()
            ),
            "make them equal",
        ),
        (
            WaveRun("x", HiFiGANConfig(mels=16), VocoderJob(2, mel=MelConfig()), Whistles()),
            "give them one MelConfig",
        ),
        (
            WaveRun("x", HiFiGANConfig(mels=16), VocoderJob(2, mel=MEL), Whistles(), None, "nowhere"),
            "no trained tokenizer in 'nowhere'",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_compiled(run, words):
    with pytest.raises(ConfigError, match=words):
        run.check()
