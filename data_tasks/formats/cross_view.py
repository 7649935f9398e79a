"""Format 19 once more: most of a view is hidden, and another view of the same scene helps to complete it."""

import dataclasses

import numpy as np

from data_tasks.formats.base import Fields, Raw, judged, look
from data_tasks.formats.medium import MEDIA
from data_tasks.formats.painted import Painted, target
from data_tasks.formats.restore import hide
from unified_io.errors import DataError
from unified_io.preprocess import denoise
from unified_io.preprocess.window import Window


@dataclasses.dataclass(frozen=True)
class CompleteView(Painted):
    """Draws the last of several views whole; of it only some cells are shown, the other views are history.

    Pictures are shown whole, in training too, as `NovelView` shows them.

    Attributes:
      hidden: Part of the cells that is hidden, at least.
      most: Part that is hidden at most.
      cells: Rows and columns of the grid that is hidden from.

    Source: the cross-view completion of CroCo, which hides 90 %.
    """

    hidden: float = 0.5
    most: float = 0.9
    cells: tuple[int, int] = (8, 8)

    @property
    def reads(self) -> tuple[str, ...]:
        return ("images",)

    @property
    def shows(self) -> tuple[str, ...]:
        return MEDIA["video"].writes

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        if len(raw["images"]) < 2:
            raise DataError(f"field images has {len(raw['images'])} views; want two of one scene at least")
        *others, wanted = raw["images"]
        through = Window.around(wanted.shape[:2])
        keep = denoise.keep_patches(
            (through.side, through.side), self.cells, rng.uniform(self.hidden, self.most), rng
        )
        shown = look(wanted, through)
        return (
            judged(raw, "")
            | target(wanted, through)
            | {
                "text_inputs": self.ask(raw, rng),
                "image_inputs": hide(shown["image_inputs"], keep),
                "image_input_masks": shown["image_input_masks"] & keep,
                "image_history_inputs": [Window.around(other.shape[:2]).cut(other) for other in others],
            }
        )
