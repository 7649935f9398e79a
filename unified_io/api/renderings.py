"""Results that are pictures or sound: pixels, masks, depth, normals, waveforms.

All are of the height and width of the image that was given.
"""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from unified_io.api.results import Result, Writers
from unified_io.errors import ConfigError
from unified_io.preprocess import maps, sound

MILLIMETRES = 1000.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Picture(Result):
    """An image that the model made, the best of those it made.

    Attributes:
      pixels: RGB in [0, 1], float32 [h, w, 3].
      others: The other samples, the better ones first.
      scores: What each was ranked by, `pixels` first; empty for a single sample.
    """

    pixels: Float[np.ndarray, "h w 3"]
    others: tuple[Float[np.ndarray, "h w 3"], ...] = ()
    scores: tuple[float, ...] = ()

    def __repr__(self) -> str:
        best = f", best of {len(self.scores)}" if self.scores else ""
        return f"Picture({_size(self.pixels)}{best})"

    def writers(self) -> Writers:
        return _drawers(self.pixels)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Masks(Result):
    """Things cut out of an image.

    Attributes:
      masks: True where the thing is, bool [n, h, w].
      boxes: The box each was looked for in, (y1, x1, y2, x2) in pixels, float32 [n, 4].
      labels: What each is.
    """

    masks: Bool[np.ndarray, "n h w"]
    boxes: Float[np.ndarray, "n 4"]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.masks)

    def __repr__(self) -> str:
        return f"Masks({len(self)} of {_size(self.masks[0]) if len(self) else 'nothing'})"

    def writers(self) -> Writers:
        arrays = {"masks": self.masks, "boxes": self.boxes, "labels": np.asarray(self.labels, str)}
        union = self.masks.any(axis=0).astype(np.float32)
        return {
            ".npz": lambda path: np.savez_compressed(path, **arrays),
            ".png": lambda path: _draw(path, union),
        }


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Depth(Result):
    """How far away everything is.

    Attributes:
      metres: float32 [h, w].
    """

    metres: Float[np.ndarray, "h w"]

    def __repr__(self) -> str:
        return f"Depth({_size(self.metres)}, {self.metres.min():.2f} to {self.metres.max():.2f} m)"

    def writers(self) -> Writers:
        return {".npy": lambda path: np.save(path, self.metres), ".png": self._write_millimetres}

    def _write_millimetres(self, path: Path) -> None:
        """Writes whole millimetres as 16-bit grey, as depth cameras do."""
        from PIL import Image

        millimetres = np.round(self.metres * MILLIMETRES)
        if millimetres.max() > np.iinfo(np.uint16).max:
            raise ConfigError(f"{self.metres.max():.1f} m do not fit 16 bits of millimetres; save as .npy")
        Image.fromarray(millimetres.astype(np.uint16)).save(path)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Normals(Result):
    """Which way every surface faces.

    Attributes:
      vectors: Unit vectors (x, y, z), float32 [h, w, 3].
    """

    vectors: Float[np.ndarray, "h w 3"]

    def __repr__(self) -> str:
        return f"Normals({_size(self.vectors)})"

    def writers(self) -> Writers:
        return {
            ".npy": lambda path: np.save(path, self.vectors),
            **_drawers(maps.normals_to_pixels(self.vectors)),
        }


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Waveform(Result):
    """A sound that the model made.

    Attributes:
      samples: In [-1, 1], float32 [n].
      sample_rate: Samples per second, Hz.
    """

    samples: Float[np.ndarray, " n"]
    sample_rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.sample_rate

    def __repr__(self) -> str:
        return f"Waveform({self.seconds:.2f} s at {self.sample_rate} Hz)"

    def writers(self) -> Writers:
        return {".wav": lambda path: sound.write_wav(path, self.samples, self.sample_rate)}


def _drawers(pixels: Float[np.ndarray, "h w 3"]) -> Writers:
    return {suffix: lambda path: _draw(path, pixels) for suffix in (".png", ".jpg", ".webp")}


def _draw(path: Path, pixels: Float[np.ndarray, "h w *C"]) -> None:
    from PIL import Image

    Image.fromarray((np.clip(pixels, 0.0, 1.0) * 255).round().astype(np.uint8)).save(path)


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]} pixels"
