"""A run that trains audio tokenizers of one shape on spoken digits, in one or more ways, and compares them."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, Int

from data_tasks.digits.judges import AudioJudge
from data_tasks.tokenizer_runs.compared import ComparedRun
from data_tasks.tokenizer_runs.media import Voices
from data_tasks.tokenizer_runs.page import spread, understood, used, write_page
from unified_io import checkpoint
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.errors import ConfigError
from unified_io.evaluation import stats
from unified_io.evaluation.report import Item, Result, SoundPanel
from unified_io.evaluation.sounds import distance
from unified_io.mel import MelConfig, griffin_lim, log_mel
from unified_io.tokenizers.quantizer import code_usage, count_codes
from unified_io.tokenizers.vit_vqgan import ViTVQGAN, ViTVQGANConfig

SHOWN = 8
_AT_ONCE = 32

LogMels = Float[np.ndarray, "n frames mels"]


@dataclasses.dataclass(frozen=True)
class SpectrumTokenizer:
    """A trained ViT-VQGAN and how spectrograms are brought to its range.

    Attributes:
      config: Its shape.
      mean: Of the natural-log mel, taken off.
      std: What the rest is divided by.
    """

    config: ViTVQGANConfig
    mean: float = -9.7
    std: float = 3.2

    def media(self, log_mels: LogMels) -> Float[np.ndarray, "n frames mels 1"]:
        """Returns spectrograms as the tokenizer takes them."""
        return ((log_mels - self.mean) / self.std).astype(np.float32)[..., None]

    def redrawn(self, log_mels: LogMels, folder: str | Path) -> tuple[LogMels, Int[np.ndarray, "n L"]]:
        """Writes spectrograms as codes and reads them back.

        Args:
          log_mels: Natural logarithms.
          folder: Of the run that trained it.

        Raises:
          CheckpointError: It has not been trained to its end.
        """
        params, _ = checkpoint.load_params(Path(folder, PARAMS_FOLDER))
        apply = jax.jit(lambda media: ViTVQGAN(self.config).apply({"params": params}, media))
        media = self.media(log_mels)
        parts = [apply(media[at : at + _AT_ONCE]) for at in range(0, len(media), _AT_ONCE)]
        made = np.concatenate([np.asarray(part.media) for part in parts])[..., 0] * self.std + self.mean
        return made, np.concatenate([np.asarray(part.codes) for part in parts])


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpectrumRun(ComparedRun):
    """Trains a ViT-VQGAN and its rivals on the same voices.

    Attributes:
      tokenizer: The shape of all of them.
      voices: What they learn from and are judged by.
    """

    tokenizer: SpectrumTokenizer
    voices: Voices = Voices()

    def check(self) -> None:
        """As `ComparedRun.check`.

        Raises:
          ConfigError: Likewise, or the spectrograms do not fit the tokenizer.
        """
        config, mel = self.tokenizer.config, self.voices.mel
        if (config.frames, config.mels) != (mel.frames, mel.mels):
            raise ConfigError(
                f"the tokenizer takes {config.frames} frames of {config.mels} bands, the mel has {mel.frames} of "
                f"{mel.mels}; make them equal"
            )
        super().check()

    def _network(self) -> ViTVQGAN:
        return ViTVQGAN(self.tokenizer.config)

    def _media(self) -> np.ndarray:
        return self.tokenizer.media(log_mels(self.voices.training().sounds, self.voices.mel))

    def report(self) -> None:
        """As `ComparedRun.report`, by voices and accents that were not learnt from."""
        learnt, unseen = self.voices.training(), self.voices.unseen()
        real = log_mels(unseen.sounds, self.voices.mel)
        judge = AudioJudge().fit(log_mels(learnt.sounds, self.voices.mel), learnt.labels)
        ceiling = float(np.mean(judge.predict(real) == unseen.labels))
        made, results = {}, [understood("real", judge.predict(real) == unseen.labels)]
        for name in self.ways:
            made[name], codes = self.tokenizer.redrawn(real, self._folder(name))
            usage = code_usage(count_codes(codes, self.tokenizer.config.codebook_size))
            results += [
                understood(name, judge.predict(made[name]) == unseen.labels, ceiling),
                Result(
                    f"{name}, log-mel L1",
                    stats.score([distance(*pair) for pair in zip(made[name], real, strict=True)]),
                    "mean absolute error, natural logarithms of power",
                    "",
                    better="lower",
                ),
                *used(name, usage, len(real)),
            ]
        write_page(
            self.model_dir,
            "Audio tokenizers",
            "Spoken digits written as codes and read back, by voices and accents that were not learnt from.",
            results,
            [
                Item(
                    inputs=(SoundPanel(unseen.sounds[i], self.voices.mel.sample_rate, "real"),),
                    outputs=tuple(
                        SoundPanel(
                            griffin_lim(spectra[i], self.voices.mel),
                            self.voices.mel.sample_rate,
                            f"{name}, Griffin-Lim",
                        )
                        for name, spectra in made.items()
                    ),
                    caption=f"digit {unseen.labels[i]}",
                )
                for i in spread(len(real), SHOWN)
            ],
            {
                "codes a word": int(np.prod(self.tokenizer.config.grid)),
                "codebook": self.tokenizer.config.codebook_size,
                "steps": {name: job.total_steps for name, job in self.ways.items()},
            },
        )


def log_mels(sounds: Float[np.ndarray, "n samples"], mel: MelConfig) -> LogMels:
    """Returns the spectrograms of sounds."""
    return np.stack([log_mel(sound, mel) for sound in sounds])
