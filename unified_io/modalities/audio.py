"""Sounds in (spectrogram patches through the AST) and sounds out (codes of the ViT-VQGAN)."""

import dataclasses
import math
from typing import Any

import flax.linen as nn
import numpy as np

from unified_io.encoders.ast import AstConfig, AudioSpectrogramTransformer
from unified_io.errors import ConfigError, DataError
from unified_io.mel import POWER_RANGE, MelConfig, griffin_lim, log_mel
from unified_io.modalities.media import CodeTarget, MediaInput
from unified_io.preprocess import sound
from unified_io.tokenizers.vit_vqgan import ViTVQGAN, ViTVQGANConfig


def _fit(spectrogram: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cuts or zero-pads a log-mel [frames, mels] to the network's frames."""
    spectrogram = np.asarray(spectrogram, np.float32)
    if spectrogram.ndim != 2 or spectrogram.shape[1] != size[1]:
        raise DataError(
            f"expected a log-mel [frames, {size[1]}], got {spectrogram.shape}; make it with mel.log_mel"
        )
    if not np.isfinite(spectrogram).all():
        raise DataError("log-mel holds NaN or infinity; check the sound it came from")
    spectrogram = spectrogram[: size[0]]
    return np.pad(spectrogram, ((0, size[0] - len(spectrogram)), (0, 0)))


def _lay(mask: np.ndarray, raw: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Cuts or pads a mask as `_fit` does the log-mel that it belongs to."""
    if np.shape(mask) != np.shape(raw):
        raise DataError(f"a mask {np.shape(mask)} of a log-mel {np.shape(raw)}; give both the same shape")
    mask = np.asarray(mask, bool)[: size[0]]
    return np.pad(mask, ((0, size[0] - len(mask)), (0, 0)))


@dataclasses.dataclass(frozen=True)
class AudioInput(MediaInput):
    """The sound to hear, as a natural-log mel spectrogram [frames, mels]; bins of exact silence take no place.

    Attributes:
      mel: How sound becomes a spectrogram; its frames and mels are the array's size.
      ast: The audio encoder.
      mean: Mean of the log-mel, taken off.
      std: Spread of the log-mel, divided by.
    """

    mel: MelConfig = MelConfig()
    ast: AstConfig = AstConfig()
    mean: float = -4.26
    std: float = 9.14

    @property
    def name(self) -> str:
        return "audio"

    @property
    def size(self) -> tuple[int, int]:
        return self.mel.frames, self.mel.mels

    def read(self, value: Any) -> np.ndarray:
        """Reads the last segment of a sound; what comes before it is history, see `read_segments`."""
        return self.read_segments(value)[-1]

    def read_segments(self, value: Any, seconds: float | None = None) -> np.ndarray:
        """Reads all of a sound as log-mels [N, frames, mels]: the last one is the input, the others are its history.

        Args:
          value: A path, the bytes of a file, a waveform, or a waveform and its sample rate.
          seconds: Length of a segment; None is that of a spectrogram. See `sound.segments`.
        """
        waveform = sound.read(value, self.mel.sample_rate)
        return np.stack(
            [log_mel(segment, self.mel) for segment in sound.segments(waveform, self.mel, seconds)]
        )

    def pixels(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spectrogram = _fit(raw, self.size)
        return ((spectrogram - self.mean) / self.std)[:, :, None], spectrogram != 0

    def real(self, raw: np.ndarray) -> np.ndarray:
        return _fit(raw, self.size) != 0

    def place(self, raw: np.ndarray, keep: np.ndarray) -> np.ndarray:
        return _lay(keep, raw, self.size)

    def locate(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = (np.arange(side) // self.patch for side in np.shape(raw))
        return rows, columns

    def encoder(self, config: Any) -> nn.Module:
        return AudioSpectrogramTransformer(self.ast)


@dataclasses.dataclass(frozen=True)
class AudioTarget(CodeTarget):
    """The sound to make, as codes of a frozen ViT-VQGAN written time step by time step.

    Attributes:
      mel: How sound becomes a spectrogram; its frames and mels must be the tokenizer's.
      vit_vqgan: The tokenizer.
      mean: Mean of the log-mel, taken off.
      std: Spread of the log-mel, divided by.
    """

    vocab_size: int = 8320
    mel: MelConfig = MelConfig()
    vit_vqgan: ViTVQGANConfig = ViTVQGANConfig()
    mean: float = -5.0945
    std: float = 3.8312

    def __post_init__(self):
        if (self.mel.frames, self.mel.mels) != (self.vit_vqgan.frames, self.vit_vqgan.mels):
            raise ConfigError(
                f"the audio tokenizer takes {self.vit_vqgan.frames}x{self.vit_vqgan.mels} spectrograms but mel makes "
                f"{self.mel.frames}x{self.mel.mels}; give both the same frames and mels"
            )
        if self.vit_vqgan.codebook_size + 2 > self.vocab_size:
            raise ConfigError(
                f"audio vocab_size {self.vocab_size} holds no {self.vit_vqgan.codebook_size} codes and 2 special "
                f"tokens; raise vocab_size to at least {self.vit_vqgan.codebook_size + 2}"
            )

    @property
    def name(self) -> str:
        return "audio"

    @property
    def prefix(self) -> str:
        return "[Audio] [S] "

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.vit_vqgan.frames, self.vit_vqgan.mels, 1

    @property
    def code_grid(self) -> tuple[int, int]:
        return self.vit_vqgan.frames // self.vit_vqgan.patch, self.vit_vqgan.mels // self.vit_vqgan.patch

    @property
    def blank(self) -> float:
        return (math.log(POWER_RANGE[0]) - self.mean) / self.std

    @property
    def rotary_columns(self) -> int:
        # The released models take rotary positions from the transposed grid although tokens run time-major.
        return self.code_grid[0]

    def pixels(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spectrogram = _fit(raw, self.shape[:2])
        return ((spectrogram - self.mean) / self.std)[:, :, None], spectrogram != 0

    def place(self, raw: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return _lay(mask, raw, self.shape[:2])

    def tokenizer(self) -> nn.Module:
        return ViTVQGAN(self.vit_vqgan)

    def detokenize(self, rendered: np.ndarray) -> np.ndarray:
        """Returns the natural-log mel [frames, mels] from the tokenizer's normalised array."""
        return np.asarray(rendered)[:, :, 0] * self.std + self.mean

    def present(self, field: np.ndarray) -> np.ndarray:
        return griffin_lim(field, self.mel)
