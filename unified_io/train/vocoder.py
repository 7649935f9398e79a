"""What a vocoder is trained to do. Knows sounds and how spectrograms are taken, no network."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io.mel import MelConfig
from unified_io.tokenizers import spectrogram
from unified_io.train.gan_step import Batch, Making, Metrics


@dataclasses.dataclass(frozen=True)
class VocoderObjective:
    """Weights of the losses of a vocoder, but for its adversary.

    Attributes:
      mel_weight: Of the mean absolute error of the log-mel spectrogram.
      stft_weight: Of the multi-resolution STFT distance.
      stft_sizes: Samples of its frames.

    Source: Kong et al. 2020 (HiFi-GAN), equation 5, has a mel weight of 45 and no STFT distance.
    """

    mel_weight: float = 45.0
    stft_weight: float = 0.0
    stft_sizes: tuple[int, ...] = (512, 1024, 2048)

    def __call__(
        self, made: Float[Array, "B n"], real: Float[Array, "B n"], config: MelConfig
    ) -> tuple[Float[Array, ""], Metrics]:
        """Returns the loss and its metrics."""
        off = jnp.mean(jnp.abs(spectrogram.log_mel(made, config) - spectrogram.log_mel(real, config)))
        loss, metrics = self.mel_weight * off, {"mel_l1": off}
        if self.stft_weight:
            distance = spectrogram.stft_distance(made, real, tuple(self.stft_sizes))
            loss, metrics = loss + self.stft_weight * distance, {**metrics, "stft_distance": distance}
        return loss, metrics


def vocoder_making(config: MelConfig, objective: VocoderObjective = VocoderObjective()) -> Making:
    """Returns what a vocoder makes, for `gan_step`.

    A batch holds `log_mel` [B, frames, mels], natural logs, and `sound` [B, samples] in [-1, 1]: what was heard there.

    Args:
      config: How spectrograms are taken.
      objective: The loss, but for the adversary.
    """

    def loss(made: Array, out: Array, batch: Batch) -> tuple[Float[Array, ""], Metrics]:
        return objective(made, batch["sound"], config)

    return Making("log_mel", "sound", lambda out: out, loss)
