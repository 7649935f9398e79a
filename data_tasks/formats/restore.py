"""Denoising: a part is hidden from the input and the whole, or what was hidden, is the target."""

import dataclasses

import numpy as np

from data_tasks.formats.base import ABOUT, Fields, Format, Raw, about
from unified_io.preprocess import denoise
from unified_io.preprocess.image_ops import resize_nearest
from unified_io.vocab import SENTINELS, sentinel_word


@dataclasses.dataclass(frozen=True)
class RestoreText(Format):
    """Hides spans of words; the target names every sentinel with what it hides."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "caption", "label"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", "text_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        words = raw["caption"].split()
        hidden = denoise.hide_spans(len(words), denoise.R[rng.integers(len(denoise.R))], rng, SENTINELS)
        inputs, targets = denoise.corrupt(words, hidden, sentinel_word)
        prompt = self.prompt("text", rng, "R", text=" ".join(inputs))
        return about(raw) | {"text_inputs": prompt, "text_targets": " ".join(targets)}


@dataclasses.dataclass(frozen=True)
class RestorePatches(Format):
    """Hides cells of a picture or a spectrogram; the target is all of it.

    Attributes:
      modality: "image" or "audio".
      cells: Rows and columns of the grid that is hidden from; align it with the encoder's patches.
      least: Least part that is hidden.
      most: Greatest part that is hidden.
      stretches: How often whole rows are hidden, stretches of time of a sound.

    Source: Unified-IO 2, section 3.3 (an encoder sees at most half of what is to be restored); the rest our choice.
    """

    modality: str
    cells: tuple[int, int]
    least: float = 0.5
    most: float = 0.9
    stretches: float = 0.0

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.modality, self._target, "label")))

    @property
    def writes(self) -> tuple[str, ...]:
        m = self.modality
        media = (f"{m}_{kind}" for kind in ("inputs", "input_masks", "targets", "target_hidden_masks"))
        return "text_inputs", *media, *ABOUT

    @property
    def _target(self) -> str:
        return "image_target" if self.modality == "image" else self.modality

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        whole, target, rate = raw[self.modality], raw[self._target], rng.uniform(self.least, self.most)
        keep = denoise.keep_patches(
            whole.shape[:2], self.cells, rate, rng, rows=rng.random() < self.stretches
        )
        return about(raw) | {
            "text_inputs": self.prompt(self.modality, rng, "R"),
            f"{self.modality}_inputs": hide(whole, keep),
            f"{self.modality}_input_masks": keep,
            f"{self.modality}_targets": target,
            # A picture to draw is smaller than the one to look at, and its mask is as large as itself.
            f"{self.modality}_target_hidden_masks": ~resize_nearest(keep, target.shape[:2]),
        }


def hide(whole: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Blanks what is hidden, so that no encoder sees it whose patches lie across the edge of the mask."""
    return whole * keep.reshape(*keep.shape, *[1] * (whole.ndim - 2))


@dataclasses.dataclass(frozen=True)
class RestoreSteps(Format):
    """Leaves steps of an action out; the target is all of it.

    Attributes:
      least: Least part that is left out.
      most: Greatest part that is left out.
    """

    least: float = 0.3
    most: float = 0.7

    @property
    def reads(self) -> tuple[str, ...]:
        return "points", "label"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", "action_inputs", "action_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        steps = raw["points"]
        keep = denoise.keep_some(len(steps), rng.uniform(self.least, self.most), rng)
        prompt = self.prompt("action", rng, "R")
        return about(raw) | {"text_inputs": prompt, "action_inputs": steps[keep], "action_targets": steps}
