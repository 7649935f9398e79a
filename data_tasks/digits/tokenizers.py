"""The two tokenizers of the digits, and what they learn from."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data_tasks.digits.source import DigitsSource
from data_tasks.digits.stock import Stock
from data_tasks.media_tokenizers import announce, folder_of
from unified_io.model import UnifiedIOConfig
from unified_io.train.tokenizer_job import TokenizerJob


@dataclasses.dataclass(frozen=True)
class DigitsTokenizers:
    """How the digits' tokenizers are trained.

    Attributes:
      image: The VQ-GAN.
      audio: The ViT-VQGAN.
      pictures: How many pictures the image tokenizer learns from.
    """

    image: TokenizerJob
    audio: TokenizerJob
    pictures: int = 6000

    def lasting(self, steps: Mapping[str, int]) -> "DigitsTokenizers":
        """Returns them trained for other numbers of steps, by modality."""
        jobs = {name: dataclasses.replace(getattr(self, name), total_steps=n) for name, n in steps.items()}
        return dataclasses.replace(self, **jobs)

    def train(self, folder: str | Path, digits: DigitsSource, model: UnifiedIOConfig) -> None:
        """Trains both, each from where it stopped; one that is there already is left alone.

        Args:
          folder: Holds a folder for each.
          digits: The digits.
          model: Says what the tokenizers are like.
        """
        announce("data", "digits, strokes and speech")
        stock = digits.stock("train")
        stock.load(("points", "audio"))
        image, audio = model.target("image"), model.target("audio")
        announce("image tokenizer", "VQ-GAN")
        pictures = np.stack([image.pixels(picture)[0] for picture in self._pictures(stock)])
        self.image.train(image.tokenizer(), pictures, folder_of("image", folder))
        announce("audio tokenizer", "ViT-VQGAN")
        sounds = np.stack([audio.pixels(clip)[0] for clip in stock.clips.mels])
        self.audio.train(audio.tokenizer(), sounds, folder_of("audio", folder))

    def _pictures(self, stock: Stock) -> np.ndarray:
        """What the image tokenizer learns to draw: digits, canvases of two, and masks of one of them."""
        rng = np.random.default_rng(self.image.seed)
        draw = lambda count: rng.integers(len(stock), size=count)  # noqa: E731
        singles = stock.singles(draw(self.pictures * 3 // 4), ("image_target",), rng)["image_target"]
        masks = stock.scenes(draw(self.pictures // 4), ("masks",), rng)["masks"][:, 0]
        return np.concatenate([singles, masks])
