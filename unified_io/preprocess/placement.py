"""Where a picture lies in the network's padded square, and coordinates taken there and back. Pure NumPy."""

import dataclasses
from typing import Self

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True)
class Placement:
    """A picture scaled to fit a padded square, its aspect ratio kept, in the middle of it.

    Attributes:
      source: Height and width of the source picture, pixels.
      size: Height and width of the padded square.
      scaled: Height and width of the picture after scaling.
      top: Rows of padding above.
      left: Columns of padding to the left.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    scaled: tuple[int, int]
    top: int
    left: int

    @classmethod
    def fit(cls, source: tuple[int, int], size: tuple[int, int]) -> Self:
        """Places a picture of height and width `source` in a square of `size`.

        Source: the released evaluation preprocessing; sides are truncated in float32 and can be one pixel short.
        """
        scale = _scale(source, size)
        height, width = (max(1, int(np.float32(side) * scale)) for side in source)
        return cls(source, size, (height, width), (size[0] - height) // 2, (size[1] - width) // 2)

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of the square that the picture takes."""
        height, width = self.scaled
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def info(self) -> Float[np.ndarray, "11"]:
        """The released side information of an image.

            top, left, 1/scale, source height and width, crop offset relative (y, x), crop offset (y, x), scaled
            height and width

        The offsets are those of a random crop in training, and 0 here.
        """
        scale = np.float32(1.0) / _scale(self.source, self.size)
        return np.array([self.top, self.left, scale, *self.source, 0, 0, 0, 0, *self.scaled], np.float32)

    def to_square(self, coordinates: Float[np.ndarray, "*N yx"]) -> Float[np.ndarray, "*N yx"]:
        """Takes source pixels to numbers in [0, 1] of the padded square, clipped to it.

        Args:
          coordinates: Points (y, x) or boxes (y1, x1, y2, x2), along the last axis.

        Raises:
          DataError: The last axis is of another length.
        """
        pairs = _pairs(coordinates) * _scale(self.source, self.size) + self._corner
        square = np.clip(pairs / np.asarray(self.size, np.float32), 0.0, 1.0)
        return square.reshape(np.shape(coordinates))

    def to_source(self, coordinates: Float[np.ndarray, "*N yx"]) -> Float[np.ndarray, "*N yx"]:
        """Takes numbers in [0, 1] of the padded square to source pixels, clipped to the picture.

        The inverse of `to_square` for what lies within the picture.

        Args:
          coordinates: Points (y, x) or boxes (y1, x1, y2, x2), along the last axis.

        Raises:
          DataError: The last axis is of another length.
        """
        pairs = _pairs(coordinates) * np.asarray(self.size, np.float32) - self._corner
        source = np.clip(pairs / _scale(self.source, self.size), 0.0, np.asarray(self.source, np.float32))
        return source.reshape(np.shape(coordinates))

    @property
    def _corner(self) -> np.ndarray:
        return np.array([self.top, self.left], np.float32)


def _scale(source: tuple[int, int], size: tuple[int, int]) -> np.float32:
    return np.min(np.asarray(size, np.float32) / np.asarray(source, np.float32))


def _pairs(coordinates: np.ndarray) -> np.ndarray:
    """The numbers as float32 pairs (y, x): a box is two corners."""
    array = np.asarray(coordinates, np.float32)
    if array.ndim == 0 or array.shape[-1] not in (2, 4):
        raise DataError(
            f"coordinates have shape {list(array.shape)}; give points [..., 2] as y, x, or boxes [..., 4] as y1, x1, "
            "y2, x2"
        )
    return array.reshape(*array.shape[:-1], array.shape[-1] // 2, 2)
