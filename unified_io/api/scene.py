"""A picture as the user gave it: its pixels are the coordinates, the network's squares are not seen outside."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from unified_io.errors import ConfigError
from unified_io.preprocess import image_ops
from unified_io.preprocess.placement import Placement
from unified_io.structures import boxes_to_text


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
    """A picture and where it lies in the square that the network looks at.

    Attributes:
      pixels: RGB in [0, 1], [h, w, 3].
      inside: Its place in the input square.
    """

    pixels: Float[np.ndarray, "h w 3"]
    inside: Placement

    @classmethod
    def read(cls, image: Any, modality: Any) -> "Scene":
        """Reads what the user gave, as the input modality of images does."""
        pixels = modality.read(image)
        return cls(pixels, modality.placement(pixels))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.inside.source

    def box_text(self, box: Float[np.ndarray, "4"]) -> str:
        """Writes a box (y1, x1, y2, x2) in pixels of the picture as location tokens.

        Raises:
          ConfigError: It is no box, or lies outside the picture.
        """
        box = np.asarray(box, np.float32)
        if box.shape != (4,) or not np.isfinite(box).all():
            raise ConfigError(f"a box is four numbers (y1, x1, y2, x2) in pixels, got {box.tolist()}")
        clipped = self.clip(box)
        if not (clipped[2:] > clipped[:2]).all():
            raise ConfigError(
                f"box {box.tolist()} holds nothing of a picture {self.size[0]} high and {self.size[1]} wide; give "
                "(y1, x1, y2, x2) in pixels"
            )
        return boxes_to_text(self.inside.to_square(clipped)[None])

    def clip(self, box: Float[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 4"]:
        """Cuts boxes at the borders of the picture."""
        return np.clip(box, 0, np.asarray([*self.size, *self.size], np.float32))

    def box_mask(self, box: Float[np.ndarray, "4"]) -> Bool[np.ndarray, "h w"]:
        """Returns the pixels that a box touches."""
        y1, x1 = np.floor(box[:2]).astype(int)
        y2, x2 = np.ceil(box[2:]).astype(int)
        mask = np.zeros(self.size, bool)
        mask[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = True
        return mask

    def undo(self, square: Float[np.ndarray, "S S 3"]) -> Float[np.ndarray, "h w 3"]:
        """Takes a square that the model painted back to the size of the picture."""
        return image_ops.undo_resize(square, self.size)
