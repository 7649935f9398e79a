"""Patches of a picture or a spectrogram that are hidden from the encoder. Knows grids, neither pixels nor mels."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from unified_io.errors import ConfigError, DataError
from unified_io.preprocess import denoise
from unified_io.preprocess.denoisers.chances import check_part, check_weights

PARADIGMS = ("R", "S")


class Cells(NamedTuple):
    """The patches that an encoder cuts a raw field into.

    Attributes:
      rows: The row of patches that every row of the field lies in.
      columns: The column of patches that every column of the field lies in.
      real: The patches that hold something of the field and reach the encoder.
    """

    rows: Int[np.ndarray, " h"]
    columns: Int[np.ndarray, " w"]
    real: Bool[np.ndarray, "R C"]

    def spread(self, patches: Bool[np.ndarray, "R C"]) -> Bool[np.ndarray, "h w"]:
        """Blows a mask of patches up to the field."""
        return patches[self.rows[:, None], self.columns[None, :]]


class Patched(Protocol):
    """What is cut into patches: an input modality of pictures or sounds."""

    @property
    def name(self) -> str:
        """Its name, which its fields begin with."""
        ...

    def cells(self, raw: np.ndarray) -> Cells:
        """Which patches a raw field is cut into."""
        ...


@dataclasses.dataclass(frozen=True)
class MediaDenoiser:
    """How a picture or a sound is asked for.

    Attributes:
      media: The input modality of the model: patches are hidden where its encoder has them.
      paradigms: How often it is restored, [R], and how often made from the other inputs, [S].
      low: Least part of the patches that [R] hides.
      high: Greatest part of them.
      stretches: How often whole rows of patches are hidden: stretches of time of a spectrogram.

    Source: Unified-IO 2, section 3.3 and appendix (an encoder sees at most half of the patches); the rest is ours.
    """

    media: Patched
    paradigms: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"R": 0.5, "S": 0.5})
    low: float = 0.5
    high: float = 0.9
    stretches: float = 0.0

    def __post_init__(self):
        check_weights(f"paradigm of {self.name}", self.paradigms, PARADIGMS)
        for key in ("low", "high", "stretches"):
            check_part(f"{key} of {self.name}", getattr(self, key))
        if self.low > self.high:
            raise ConfigError(
                f"{self.name} hides from {self.low} to {self.high}; give the smaller part as low"
            )

    @property
    def name(self) -> str:
        """The name of the modality."""
        return self.media.name

    def can_hide(self, raw: Float[np.ndarray, "h w ..."]) -> bool:
        """Whether there are two patches: one to hide and one to show."""
        return self.media.cells(raw).real.sum() > 1

    def keep(self, raw: Float[np.ndarray, "h w ..."], rng: np.random.Generator) -> Bool[np.ndarray, "h w"]:
        """Draws the mask of what the encoder may see of a raw field: whole patches, at least one and not all.

        Raises:
          DataError: The field is so small that it lies in one patch.
        """
        cells = self.media.cells(raw)
        if cells.real.sum() < 2:
            raise DataError(
                f"{self.name} of shape {np.shape(raw)} lies in one patch, of which no part can be hidden"
            )
        rate, by_rows = rng.uniform(self.low, self.high), rng.random() < self.stretches
        shown = np.zeros_like(cells.real)
        rows = np.flatnonzero(cells.real.any(axis=1))
        if by_rows and len(rows) > 1:
            shown[rows[denoise.keep_some(len(rows), rate, rng)]] = True
        else:
            patches = np.flatnonzero(cells.real)
            shown.flat[patches[denoise.keep_some(len(patches), rate, rng)]] = True
        return cells.spread(shown & cells.real)
