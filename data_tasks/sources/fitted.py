"""Pictures brought to the size of another, where what belongs together is stored in several sizes."""

import dataclasses

import numpy as np
from jaxtyping import Float

from data_tasks.sources.stored import Context, Make, Record
from unified_io.preprocess import image_ops


@dataclasses.dataclass(frozen=True)
class Fitted:
    """Reads a picture at the size of another one of the record.

    Attributes:
      picture: Reads it.
      like: Reads the other.
    """

    picture: Make
    like: Make

    def __call__(self, record: Record, context: Context) -> Float[np.ndarray, "h w 3"]:
        return fitted(self.picture(record, context), self.like(record, context).shape)


def fitted(pixels: Float[np.ndarray, "h w 3"], size: tuple[int, ...]) -> Float[np.ndarray, "H W 3"]:
    """Returns a picture at a size, height and width first; as it is where it has that."""
    size = tuple(size[:2])
    return pixels if pixels.shape[:2] == size else image_ops.resize(pixels, size)
