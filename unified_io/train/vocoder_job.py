"""A job that trains a vocoder on sounds in memory, by the common loop."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flax.linen as nn
import numpy as np

from unified_io import configuration, mel
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.convert.vocoder import CONFIG_FILE
from unified_io.errors import ConfigError
from unified_io.mel import MelConfig
from unified_io.tokenizers.discriminators import SoundConfig
from unified_io.train.gan_step import init_gan_state, make_gan_step
from unified_io.train.media_job import MediaJob
from unified_io.train.state import TrainState
from unified_io.train.vocoder import VocoderObjective, vocoder_making


@dataclasses.dataclass(frozen=True)
class VocoderJob(MediaJob):
    """How a vocoder is trained; its media are sounds in [-1, 1], float32 [N, n].

    A step sees pieces: the spectrogram is that of the whole sound, so that nothing is reflected where a piece ends.

    Attributes:
      mel: How spectrograms are taken.
      objective: Weights of the losses.
      piece: Frames of a piece.
    """

    mel: MelConfig = MelConfig()
    objective: VocoderObjective = VocoderObjective()
    piece: int = 32

    def train(self, network: nn.Module, media: np.ndarray, folder: str | Path) -> Path:
        """As `MediaJob.train`; `api.from_pretrained(…, vocoder=folder)` then speaks with it.

        Raises:
          ConfigError: The vocoder makes another number of samples a frame than the mel's hop, a piece is longer than a
            segment, or too short for the STFT; or the discriminator is one of pictures.
        """
        least = max(self.objective.stft_sizes) // 2 if self.objective.stft_weight else self.mel.n_fft // 2
        if network.config.total_stride != self.mel.hop:
            raise ConfigError(
                f"the vocoder makes {network.config.total_stride} samples a frame, the mel's hop is {self.mel.hop}; "
                "let the upsample_rates multiply to the hop"
            )
        if not least < self.piece * self.mel.hop or not self.piece < self.mel.frames:
            raise ConfigError(
                f"pieces of {self.piece} frames are {self.piece * self.mel.hop} samples; give more than {least} "
                f"samples, and fewer frames than the {self.mel.frames} of a segment"
            )
        if self.adversary and not isinstance(self.adversary.discriminator, SoundConfig):
            raise ConfigError("a vocoder is judged by its sound; give the adversary a SoundConfig")
        if not Path(folder, PARAMS_FOLDER).is_dir():  # else another shape would be written beside them
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(folder, CONFIG_FILE).write_text(configuration.to_json(network.config))
        return super().train(network, media, folder)

    def _start(self, network: nn.Module, batch: dict[str, Any]) -> tuple[TrainState, Any]:
        optimizer, beside = self._optimizer(network, batch["log_mel"][:1]), self._beside(batch["sound"][:1])
        making = vocoder_making(self.mel, self.objective)
        state = init_gan_state(network, optimizer, batch, making, seed=self.seed, **beside)
        return state, make_gan_step(network, optimizer, making, **beside)

    def _batches(self, media: np.ndarray, start_step: int) -> Iterator[dict[str, Any]]:
        hop, samples = self.mel.hop, self.piece * self.mel.hop
        spectrograms = np.stack([mel.log_mel(sound, self.mel) for sound in media])
        length = self.mel.frames * hop
        sounds = np.pad(media[:, :length], ((0, 0), (0, max(length - media.shape[1], 0))))
        for step in itertools.count(start_step):
            chosen, rng = self._drawn(len(sounds), step)
            begins = rng.integers(self.mel.frames - self.piece + 1, size=len(chosen))
            pairs = list(zip(chosen, begins, strict=True))
            yield {
                "log_mel": np.stack([spectrograms[i, at : at + self.piece] for i, at in pairs]),
                "sound": np.stack([sounds[i, at * hop : at * hop + samples] for i, at in pairs]),
            }
