"""A run that trains image tokenizers of one shape on photographs, in one or more ways, and compares them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from data_tasks.tokenizer_runs.compared import ComparedRun
from data_tasks.tokenizer_runs.media import Photos
from data_tasks.tokenizer_runs.page import spread, used, write_page
from unified_io import checkpoint
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.errors import ConfigError
from unified_io.evaluation import stats
from unified_io.evaluation.media import psnr
from unified_io.evaluation.pictures import ssim
from unified_io.evaluation.report import ImagePanel, Item, Result
from unified_io.tokenizers.quantizer import code_usage, count_codes
from unified_io.tokenizers.vqgan import VQGAN, VQGANConfig

SHOWN = 12
_AT_ONCE = 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class PictureRun(ComparedRun):
    """Trains a VQ-GAN and its rivals on the same pictures.

    Attributes:
      tokenizer: The shape of all of them.
      photos: What they learn from and are judged by.
    """

    tokenizer: VQGANConfig
    photos: Photos = Photos()

    def check(self) -> None:
        """As `ComparedRun.check`.

        Raises:
          ConfigError: Likewise, or the pieces do not fit the tokenizer.
        """
        if self.photos.side % self.tokenizer.stride:
            raise ConfigError(
                f"pieces of {self.photos.side} pixels, and a code covers {self.tokenizer.stride}; give Photos.side a "
                "multiple of that"
            )
        super().check()

    def _network(self) -> VQGAN:
        return VQGAN(self.tokenizer)

    def _media(self) -> np.ndarray:
        return self.photos.training() * 2.0 - 1.0

    def report(self) -> None:
        """As `ComparedRun.report`, by photographs of which no piece was learnt from."""
        real = self.photos.unseen()
        made = {name: self._redrawn(name, real) for name in self.ways}
        results = [result for name in self.ways for result in _results(name, *made[name], real)]
        items = [
            Item(
                inputs=(ImagePanel(real[i], label="real"),),
                outputs=tuple(ImagePanel(pictures[i], label=name) for name, (pictures, _) in made.items()),
            )
            for i in spread(len(real), SHOWN)
        ]
        write_page(
            self.model_dir,
            "Image tokenizers",
            f"{len(real)} pieces of photographs of which no piece was learnt from, written as codes and read back. "
            "Sharpness is the mean length of the gradient as a share of the real one.",
            results,
            items,
            {
                "codes a piece": (self.photos.side // self.tokenizer.stride) ** 2,
                "codebook": self.tokenizer.codebook_size,
                "steps": {name: job.total_steps for name, job in self.ways.items()},
            },
        )

    def _redrawn(self, name: str, real: np.ndarray) -> tuple[np.ndarray, Mapping[str, Any]]:
        """The pictures as one way writes and reads them, and how it uses its codes."""
        params, _ = checkpoint.load_params(self._folder(name) / PARAMS_FOLDER)
        apply = jax.jit(lambda media: self._network().apply({"params": params}, media))
        parts = [apply(real[at : at + _AT_ONCE] * 2.0 - 1.0) for at in range(0, len(real), _AT_ONCE)]
        codes = np.concatenate([np.asarray(part.codes).ravel() for part in parts])
        pictures = np.concatenate([np.asarray(part.media) for part in parts]) / 2.0 + 0.5
        usage = code_usage(count_codes(codes, self.tokenizer.codebook_size))
        return pictures.clip(0.0, 1.0), usage


def sharpness(pictures: Float[np.ndarray, "n h w 3"]) -> Float[np.ndarray, " n"]:
    """Returns the mean length of every picture's gradient, in values a pixel."""
    down, right = np.diff(pictures, axis=1)[:, :, :-1], np.diff(pictures, axis=2)[:, :-1]
    return np.sqrt(np.square(down) + np.square(right)).mean(axis=(1, 2, 3))


def _results(name: str, made: np.ndarray, usage: Mapping[str, Any], real: np.ndarray) -> list[Result]:
    pairs = list(zip(made, real, strict=True))
    clear = stats.score([psnr(*pair) for pair in pairs])
    alike = stats.score([ssim(*pair) for pair in pairs])
    crisp = stats.score(sharpness(made) / np.maximum(sharpness(real), 1e-6))
    return [
        Result(f"{name}, PSNR", clear, "peak signal-to-noise ratio", "dB"),
        Result(f"{name}, SSIM", alike, "structural similarity", ""),
        Result(f"{name}, sharpness", crisp, "gradient as a share of the real one"),
        *used(name, usage, len(made)),
    ]
