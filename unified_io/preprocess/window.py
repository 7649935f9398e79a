"""The square part of a picture that an example shows, and coordinates, masks and maps taken there and back.

In evaluation it is the smallest square around the picture. In training it is drawn: scaled by up to a third and
cropped, or padded. The modality resizes it to the network's square afterwards. Pure NumPy; knows no tokens.
"""

import dataclasses
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Shaped

from unified_io.errors import DataError

_SCALES = 0.75, 1.3333
_LEAST = 64 / 384  # the short side takes at least this part of the square, else it is cropped


@dataclasses.dataclass(frozen=True)
class Window:
    """A square laid over a picture; it may reach beyond it.

    Attributes:
      source: Height and width of the picture, pixels.
      top: First row of the square; negative where it begins above the picture.
      left: First column.
      side: Rows and columns of the square.
    """

    source: tuple[int, int]
    top: int
    left: int
    side: int

    @classmethod
    def around(cls, source: tuple[int, int]) -> Self:
        """The smallest square around a picture, the picture in its middle."""
        side = max(source)
        return cls(tuple(source), -((side - source[0]) // 2), -((side - source[1]) // 2), side)

    @classmethod
    def draw(cls, source: tuple[int, int], rng: np.random.Generator) -> Self:
        """A random square: with even odds it crops the picture or pads it, at a scale of 0.75 to 1.33.

        Source: the released training preprocessing; the short side keeps a sixth of the square, as there 64 of
        384 pixels. What is padded lies in the middle, what is cropped anywhere.
        """
        short, long = min(source), max(source)
        factor = rng.uniform(*_SCALES)
        side = (short if rng.random() < 0.5 else long) / factor
        side = max(1, round(min(side, short / _LEAST)))
        top, left = (
            int(rng.integers(0, length - side + 1)) if length > side else -((side - length) // 2)
            for length in source
        )
        return cls(tuple(source), top, left, side)

    def cut(self, array: Shaped[np.ndarray, "h w *c"], fill: float = 0) -> Shaped[np.ndarray, "s s *c"]:
        """Returns the square of a picture, a mask or a map; what lies beyond the picture is `fill`.

        Raises:
          DataError: It is of another height and width than the picture.
        """
        _check("picture", array, self.source)
        out = np.full((self.side, self.side, *array.shape[2:]), fill, array.dtype)
        (y, x), (rows, columns) = self._inside, self._covered
        out[y, x] = array[rows, columns]
        return out

    def paste(self, array: Shaped[np.ndarray, "s s *c"], fill: float = 0) -> Shaped[np.ndarray, "h w *c"]:
        """Returns the picture of a square: inverse of `cut` where the square covers it, `fill` elsewhere.

        Raises:
          DataError: The square is of another side.
        """
        _check("window", array, (self.side, self.side))
        out = np.full((*self.source, *array.shape[2:]), fill, array.dtype)
        (y, x), (rows, columns) = self._inside, self._covered
        out[rows, columns] = array[y, x]
        return out

    @property
    def real(self) -> Bool[np.ndarray, "s s"]:
        """Where in the square there is picture."""
        return self.cut(np.ones(self.source, bool))

    def points(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Takes points (y, x) in [0, 1] of the picture to those of the square; beyond it they leave [0, 1]."""
        pixels = np.asarray(points, np.float32) * np.asarray(self.source, np.float32)
        return ((pixels - self._corner) / self.side).astype(np.float32)

    def points_back(self, points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 2"]:
        """Takes points of the square to numbers in [0, 1] of the picture; inverse of `points`."""
        pixels = np.asarray(points, np.float32) * self.side + self._corner
        return (pixels / np.asarray(self.source, np.float32)).astype(np.float32)

    def boxes(
        self, boxes: Float[np.ndarray, "n 4"]
    ) -> tuple[Float[np.ndarray, "n 4"], Bool[np.ndarray, " n"]]:
        """Takes boxes (y1, x1, y2, x2) of the picture to the square, clipped to it; says which have an area left."""
        corners = np.asarray(boxes, np.float32).reshape(-1, 2, 2)
        moved = np.clip(self.points(corners), 0.0, 1.0).reshape(-1, 4)
        return moved, (moved[:, 2] > moved[:, 0]) & (moved[:, 3] > moved[:, 1])

    def boxes_back(self, boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
        """Takes boxes of the square to the picture, clipped to it; inverse of `boxes` within both."""
        corners = np.asarray(boxes, np.float32).reshape(-1, 2, 2)
        return np.clip(self.points_back(corners), 0.0, 1.0).reshape(-1, 4)

    @property
    def _corner(self) -> np.ndarray:
        return np.array([self.top, self.left], np.float32)

    @property
    def _covered(self) -> tuple[slice, slice]:
        """Rows and columns of the picture that the square covers; none where it lies beside it."""
        return tuple(
            slice(*np.clip((first, first + self.side), 0, length).tolist())
            for first, length in zip((self.top, self.left), self.source, strict=True)
        )

    @property
    def _inside(self) -> tuple[slice, slice]:
        """The same in rows and columns of the square."""
        return tuple(
            slice(covered.start - first, covered.stop - first)
            for first, covered in zip((self.top, self.left), self._covered, strict=True)
        )


def _check(name: str, array: np.ndarray, size: tuple[int, int]) -> None:
    if array.shape[:2] != tuple(size):
        raise DataError(
            f"an array [{', '.join(map(str, array.shape))}] for a {name} of {size[0]} x {size[1]} pixels; "
            "want the same height and width"
        )
