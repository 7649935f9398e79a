"""A run that trains a vocoder on spoken digits, and asks whether its words are still understood."""

import dataclasses
import sys
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from data_tasks.digits.judges import AudioJudge
from data_tasks.tokenizer_runs.media import Spoken, Voices
from data_tasks.tokenizer_runs.page import spread, understood, write_page
from data_tasks.tokenizer_runs.spectra import LogMels, SpectrumTokenizer, log_mels
from unified_io import checkpoint
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.errors import ConfigError
from unified_io.evaluation import stats
from unified_io.evaluation.report import Item, Result, SoundPanel
from unified_io.evaluation.sounds import distance
from unified_io.mel import griffin_lim
from unified_io.tokenizers import spectrogram
from unified_io.tokenizers.hifigan import HiFiGAN, HiFiGANConfig
from unified_io.train.job import check_writable
from unified_io.train.vocoder_job import VocoderJob

SHOWN = 8
VOCODER = "vocoder"
_AT_ONCE = 32

Sounds = Float[np.ndarray, "n samples"]


@dataclasses.dataclass(frozen=True)
class WaveRun:
    """Trains a HiFi-GAN and writes `report.html`.

    Attributes:
      model_dir: Holds a folder of the vocoder, and the report.
      vocoder: Its shape.
      job: How it is trained.
      voices: What it learns from and is judged by.
      tokenizer: The shape of an audio tokenizer, whose spectrograms it shall sound as well.
      tokenizer_dir: Folder of the run that trained that: one way of a `SpectrumRun`. None asks of true ones only.
    """

    model_dir: str
    vocoder: HiFiGANConfig
    job: VocoderJob
    voices: Voices = Voices()
    tokenizer: SpectrumTokenizer | None = None
    tokenizer_dir: str | None = None

    def check(self) -> None:
        """Finds what can not work before anything is compiled.

        Raises:
          ConfigError: The parts do not fit, the tokenizer is not there, or the folder can not be written.
        """
        if self.job.mel != self.voices.mel or self.vocoder.mels != self.voices.mel.mels:
            raise ConfigError(
                "job, voices and vocoder take spectrograms in different ways; give them one MelConfig, and the vocoder "
                f"its {self.voices.mel.mels} mels"
            )
        if self.tokenizer_dir and not (self.tokenizer and Path(self.tokenizer_dir, PARAMS_FOLDER).is_dir()):
            raise ConfigError(
                f"there is no trained tokenizer in {self.tokenizer_dir!r}; train gin_configs/run/tokenizer_audio.gin "
                "and give the folder of one of its ways, or None to do without"
            )
        check_writable(self.model_dir)

    def train(self) -> None:
        """Trains to the end, or goes on, then writes the report."""
        sounds = self.voices.training().sounds
        print(f"[{VOCODER}] {self.job.total_steps} steps on {len(sounds)} words", file=sys.stderr, flush=True)
        self.job.train(HiFiGAN(self.vocoder), sounds, Path(self.model_dir, VOCODER))
        self.report()

    def report(self) -> None:
        """Judges the vocoder by voices that it never heard, and says where the page is.

        Raises:
          CheckpointError: It, or the tokenizer, has not been trained to its end.
        """
        mel, learnt, unseen = self.voices.mel, self.voices.training(), self.voices.unseen()
        real = log_mels(unseen.sounds, mel)
        judge = AudioJudge().fit(log_mels(learnt.sounds, mel), learnt.labels)
        ceiling = float(np.mean(judge.predict(real) == unseen.labels))
        heard = {
            "vocoder": self._spoken(real),
            "Griffin-Lim": np.stack([griffin_lim(one, mel)[: mel.samples] for one in real]),
        }
        if self.tokenizer_dir:
            coded, _ = self.tokenizer.redrawn(real, self.tokenizer_dir)
            heard["vocoder on codes"] = self._spoken(coded)
        results = [understood("real", judge.predict(real) == unseen.labels)]
        for name, sounds in heard.items():
            results += self._judged(name, sounds, real, judge, unseen, ceiling)
        items = [
            Item(
                inputs=(SoundPanel(unseen.sounds[i], mel.sample_rate, "real"),),
                outputs=tuple(SoundPanel(sounds[i], mel.sample_rate, name) for name, sounds in heard.items()),
                caption=f"digit {unseen.labels[i]}",
            )
            for i in spread(len(real), SHOWN)
        ]
        write_page(
            self.model_dir,
            "Vocoder",
            "Spoken digits made from their spectrograms, by voices and accents that were not learnt from.",
            results,
            items,
            {"steps": self.job.total_steps, "sample rate": mel.sample_rate, "hop": mel.hop},
        )

    def evaluate(self) -> None:
        """As `report`."""
        self.report()

    def _spoken(self, spectra: LogMels) -> Sounds:
        """What the vocoder makes of spectrograms, as long as the words are."""
        params, _ = checkpoint.load_params(Path(self.model_dir, VOCODER, PARAMS_FOLDER))
        apply = jax.jit(lambda part: HiFiGAN(self.vocoder).apply({"params": params}, part))
        parts = [np.asarray(apply(spectra[at : at + _AT_ONCE])) for at in range(0, len(spectra), _AT_ONCE)]
        return np.concatenate(parts)[:, : self.voices.mel.samples]

    def _judged(
        self, name: str, sounds: Sounds, real: LogMels, judge: AudioJudge, unseen: Spoken, ceiling: float
    ) -> list[Result]:
        spectra = log_mels(sounds, self.voices.mel)
        off = [distance(*pair) for pair in zip(spectra, real, strict=True)]
        apart = jax.jit(spectrogram.stft_distance)
        far = [float(apart(a[None], b[None])) for a, b in zip(sounds, unseen.sounds, strict=True)]
        return [
            understood(name, judge.predict(spectra) == unseen.labels, ceiling),
            Result(
                f"{name}, log-mel L1", stats.score(off), "natural logarithms of power", "", better="lower"
            ),
            Result(f"{name}, STFT distance", stats.score(far), "three resolutions", "", better="lower"),
        ]
