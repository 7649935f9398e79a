"""What formats share whose answer is a picture: how it is read, fitted to the true one, and judged."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.formats.base import JUDGED, Fields, Format
from unified_io.errors import DataError
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.pictures import PSNR, SSIM
from unified_io.preprocess.image_ops import undo_resize
from unified_io.preprocess.window import Window

TARGET = ("image_targets", "image_target_masks")


@dataclasses.dataclass(frozen=True)
class Painted(Format):
    """A format whose answer is a picture. An answer and the truth are both read by `read`, so they agree.

    Only what `image_target_masks` marks is judged: both are cut to the rectangle around it.
    """

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", *self.shows, *TARGET, *JUDGED

    @property
    def shows(self) -> tuple[str, ...]:
        """The fields that it fills with what is given beside the prompt."""
        return "image_inputs", "image_input_masks"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return PSNR, SSIM

    def parse(self, answer: Any, example: Mapping[str, Any]) -> Any:
        size = np.shape(example["image_targets"])[:2]
        return self.read(*counted(_fitted(answer, size), example), example)

    def truth(self, example: Mapping[str, Any]) -> Any:
        return self.read(*counted(np.asarray(example["image_targets"], np.float32), example), example)

    def read(
        self,
        pixels: Float[np.ndarray, "h w 3"],
        counts: Bool[np.ndarray, "h w"],
        example: Mapping[str, Any],
    ) -> Any:
        """Turns pixels into what the metrics compare.

        Args:
          pixels: An answer or the truth, cut to what counts.
          counts: Which of them count.
          example: The fields of the example.
        """
        return np.where(counts[:, :, None], pixels, 0.0)


def target(pixels: Float[np.ndarray, "h w 3"], through: Window) -> Fields:
    """A picture as the target, framed by a window, and which of its pixels are real."""
    return {"image_targets": through.cut(pixels), "image_target_masks": through.real}


def check_size(name: str, shape: tuple[int, ...], picture: tuple[int, ...], other: str = "image") -> None:
    """Raises a DataError that calls a map or picture `name` if it is not as large as the one it belongs to."""
    if tuple(shape[:2]) != tuple(picture[:2]):
        raise DataError(
            f"field {name} is {shape[0]}x{shape[1]} but {other} is {picture[0]}x{picture[1]} high and wide; give "
            "both the same size"
        )


def counted(
    pixels: Float[np.ndarray, "h w 3"], example: Mapping[str, Any]
) -> tuple[Float[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Cuts pixels to the rectangle around what counts of an example's target, and says which of them do."""
    counts = example.get("image_target_masks")
    if counts is None or not np.any(counts):
        return pixels, np.ones(pixels.shape[:2], bool)
    counts = np.asarray(counts, bool)
    rows, columns = (np.flatnonzero(counts.any(axis=axis)) for axis in (1, 0))
    rectangle = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return pixels[rectangle], counts[rectangle]


def _fitted(answer: Any, size: tuple[int, int]) -> Float[np.ndarray, "h w 3"]:
    """An answer, a padded square of any size, as pixels of the target's size; black where it is no picture."""
    try:
        pixels = np.asarray(answer, np.float32)
    except (TypeError, ValueError):
        pixels = np.zeros(0, np.float32)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        return np.zeros((*size, 3), np.float32)
    return undo_resize(np.clip(np.nan_to_num(pixels), 0.0, 1.0), size)
