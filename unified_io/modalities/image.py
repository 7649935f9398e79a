"""Images in (patches through the ViT) and images out (codes of the VQGAN)."""

import dataclasses
from typing import Any

import flax.linen as nn
import numpy as np

from unified_io.encoders.vit import Vit, VitConfig
from unified_io.errors import ConfigError
from unified_io.modalities.media import CodeTarget, MediaInput
from unified_io.preprocess import image_ops
from unified_io.tokenizers.vqgan import VQGAN, VQGANConfig

# The statistics CLIP was trained with; the ViT of every released model expects them.
CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


@dataclasses.dataclass(frozen=True)
class ImageInput(MediaInput):
    """The picture to look at, padded to a square and normalised as CLIP does.

    Attributes:
      resolution: Side of the padded square, pixels.
      vit: The image encoder.
    """

    resolution: int = 384
    vit: VitConfig = VitConfig()

    @property
    def name(self) -> str:
        return "image"

    @property
    def size(self) -> tuple[int, int]:
        return self.resolution, self.resolution

    @property
    def channels(self) -> int:
        return 3

    def read(self, value: Any) -> np.ndarray:
        return image_ops.read(value)

    def pixels(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        padded, mask, _ = image_ops.resize_and_pad(image_ops.as_float(raw), self.size)
        return (padded - CLIP_MEAN) / CLIP_STD, mask

    def encoder(self, config: Any) -> nn.Module:
        return Vit(self.vit)


@dataclasses.dataclass(frozen=True)
class ImageTarget(CodeTarget):
    """The picture to draw, as codes of a frozen VQGAN.

    Attributes:
      vqgan: The tokenizer; its resolution is the picture's size.
    """

    vqgan: VQGANConfig = VQGANConfig()

    def __post_init__(self):
        if self.vqgan.codebook_size + 2 > self.vocab_size:
            raise ConfigError(
                f"image vocab_size {self.vocab_size} holds no {self.vqgan.codebook_size} codes and 2 special tokens; "
                f"raise vocab_size to at least {self.vqgan.codebook_size + 2}"
            )

    @property
    def name(self) -> str:
        return "image"

    @property
    def prefix(self) -> str:
        return "[Image] [S] "

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.vqgan.resolution, self.vqgan.resolution, 3

    @property
    def code_grid(self) -> tuple[int, int]:
        side = self.vqgan.resolution // self.vqgan.stride
        return side, side

    def pixels(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        padded, mask, _ = image_ops.resize_and_pad(image_ops.as_float(raw), self.shape[:2])
        return padded * 2.0 - 1.0, mask

    def tokenizer(self) -> nn.Module:
        return VQGAN(self.vqgan)

    def detokenize(self, rendered: np.ndarray) -> np.ndarray:
        """Returns pixels [h, w, 3] in [0, 1] from the tokenizer's array in [-1, 1]."""
        return np.clip((np.asarray(rendered) + 1.0) / 2.0, 0.0, 1.0)
