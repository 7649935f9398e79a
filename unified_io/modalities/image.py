"""Images in (patches through the ViT) and images out (codes of the VQGAN)."""

import dataclasses
from typing import Any

import flax.linen as nn
import numpy as np

from unified_io.encoders.vit import Vit, VitConfig
from unified_io.errors import ConfigError, DataError
from unified_io.modalities.base import Features
from unified_io.modalities.media import CodeTarget, MediaInput, given
from unified_io.preprocess import image_ops
from unified_io.preprocess.placement import Placement
from unified_io.tokenizers.vqgan import VQGAN, VQGANConfig

# The statistics CLIP was trained with; the ViT of every released model expects them.
CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def _mask_of(raw: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if np.shape(mask) != np.shape(raw)[:2]:
        raise DataError(
            f"a mask {np.shape(mask)} of an image {np.shape(raw)}; give both the same height and width"
        )
    return np.asarray(mask, bool)


@dataclasses.dataclass(frozen=True)
class ImageInput(MediaInput):
    """The picture to look at, padded to a square and normalised as CLIP does.

    Attributes:
      resolution: Side of the padded square, pixels.
      vit: The image encoder.
    """

    resolution: int = 384
    vit: VitConfig = VitConfig()

    def __post_init__(self):
        if self.resolution % self.patch:
            raise ConfigError(
                f"a picture of resolution {self.resolution} has no whole number of patches of {self.patch}; "
                "give a patch that divides it"
            )
        super().__post_init__()

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

    def placement(self, raw: np.ndarray) -> Placement:
        """Where a picture lies in the padded square; it takes what a model says of the square back to the picture."""
        return Placement.fit(np.shape(raw)[:2], self.size)

    def pixels(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        padded, mask, _ = image_ops.resize_and_pad(image_ops.as_float(raw), self.size)
        return (padded - CLIP_MEAN) / CLIP_STD, mask

    def real(self, raw: np.ndarray) -> np.ndarray:
        placement = self.placement(raw)
        return image_ops.lay(np.ones(placement.scaled, bool), placement)

    def place(self, raw: np.ndarray, keep: np.ndarray) -> np.ndarray:
        return image_ops.lay(_mask_of(raw, keep), self.placement(raw))

    def locate(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        placed = self.placement(raw)
        corner = (placed.top, placed.left)
        rows, columns = (
            ((np.arange(side) + 0.5) * scaled / side + first).astype(int) // self.patch
            for side, scaled, first in zip(placed.source, placed.scaled, corner, strict=True)
        )
        return rows, columns

    def encoder(self, config: Any) -> nn.Module:
        return Vit(self.vit)


@dataclasses.dataclass(frozen=True)
class ImageTarget(CodeTarget):
    """The picture to draw, as codes of a frozen VQGAN.

    A picture of the size of the example's input picture lies in its square as that one does, to the pixel, and takes no
    colours but its own: labels, depths and masks are drawn in colours that must not mix. One that is restored, part of
    which is hidden from the encoder, is resized as any picture.

    Attributes:
      vqgan: The tokenizer; its resolution is the picture's size.
      input_resolution: Side of the input picture's padded square, pixels; None places every target on its own.
    """

    vqgan: VQGANConfig = VQGANConfig()
    input_resolution: int | None = 384

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

    @property
    def fields(self) -> tuple[str, ...]:
        return "image_targets", "image_target_masks", "image_target_hidden_masks"

    def pixels(self, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        padded, mask, _ = image_ops.resize_and_pad(image_ops.as_float(raw), self.shape[:2])
        return padded * 2.0 - 1.0, mask

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        raw, keep, hidden, seen = (example.get(name) for name in (*self.fields, "image_inputs"))
        if not given(raw):
            return self.empty()
        array, mask = self.pixels(raw)
        side, follows = self.vqgan.resolution, np.shape(seen)[:2] == np.shape(raw)[:2]
        if follows and self.input_resolution is not None and not given(hidden):
            side = self.input_resolution
            array = self._place(image_ops.as_float(raw), side) * 2.0 - 1.0
            mask = self._place(np.ones(np.shape(raw)[:2], bool), side)
        if given(keep):
            mask = mask & self._place(_mask_of(raw, keep), side)
        return self.item(array, mask, self.place(raw, hidden) if given(hidden) else None)

    def place(self, raw: np.ndarray, mask: np.ndarray) -> np.ndarray:
        # Through the input's square, whose patches were hidden. The two squares can differ by a pixel at the rim, so
        # the mask goes on beyond it.
        side = self.input_resolution or self.vqgan.resolution
        placed = Placement.fit(np.shape(raw)[:2], (side, side))
        around = [(window.start, side - window.stop) for window in placed.window]
        mask = np.pad(image_ops.resize_nearest(_mask_of(raw, mask), placed.scaled), around, mode="edge")
        return image_ops.resize_nearest(mask, self.shape[:2])

    def _place(self, array: np.ndarray, side: int) -> np.ndarray:
        """Lays an array in a padded square of `side`, then in the tokenizer's, both by nearest neighbour."""
        square = image_ops.lay(array, Placement.fit(array.shape[:2], (side, side)))
        return image_ops.resize_nearest(square, self.shape[:2])

    def tokenizer(self) -> nn.Module:
        return VQGAN(self.vqgan)

    def detokenize(self, rendered: np.ndarray) -> np.ndarray:
        """Returns pixels [h, w, 3] in [0, 1] from the tokenizer's array in [-1, 1]."""
        return np.clip((np.asarray(rendered) + 1.0) / 2.0, 0.0, 1.0)
