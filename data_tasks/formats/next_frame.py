"""Format 20: the frame that comes next, given where a thing is or what is done."""

import dataclasses

import numpy as np

from data_tasks.formats.act import spell
from data_tasks.formats.base import Fields, Raw, judged, window
from data_tasks.formats.command import Command
from data_tasks.formats.frames import marks
from data_tasks.formats.medium import MEDIA, seen
from data_tasks.formats.painted import Painted, check_size, target
from data_tasks.formats.track import EARLIER
from unified_io.errors import DataError, unknown
from unified_io.preprocess.window import Window
from unified_io.structures import MISSING, boxes_to_text

_GIVEN = {"boxes": "tracks", "actions": "actions"}
NEXT = "next"
"""The word for the frame to draw; a frame that is shown is called by its mark."""


@dataclasses.dataclass(frozen=True)
class NextFrame(Painted):
    """Draws the last frame from those before it.

        boxes    the slot {boxes} holds where one thing is in every frame,      <image_history_1> y1 x1 y2 x2 ...
                 that to draw included; frames are cropped in training          <image_input> ... next ...
        actions  the slot {actions} holds what is done after every frame;       <image_history_1> left
                 frames are shown whole                                         <image_input> forward

    Attributes:
      given: "boxes" or "actions".
      frames: Frames that are shown at the most, the latest.
      command: How actions that are numbers are written; None for words.
    """

    given: str = "boxes"
    frames: int = EARLIER + 1
    command: Command | None = None

    def __post_init__(self):
        if self.given not in _GIVEN:
            raise unknown("thing given with frames", self.given, _GIVEN)

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", _GIVEN[self.given]

    @property
    def shows(self) -> tuple[str, ...]:
        return MEDIA["video"].writes

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        *given, wanted = raw["images"][-self.frames - 1 :] or [np.zeros(0)]
        if not given:
            raise DataError("field images holds fewer than 2 frames; give some to show and one to draw")
        check_size("images[-1]", wanted.shape, given[-1].shape, "the frame before it")
        if self.given == "boxes":
            through = window(raw, rng, wanted)
            told = self._boxes(raw, through, len(given))
        else:
            through = Window.around(wanted.shape[:2])
            told = self._actions(raw, len(given))
        return (
            judged(raw, told)
            | seen({"images": given}, ("video",), rng, through)
            | target(wanted, through)
            | {"text_inputs": self.ask(raw, rng, **{self.given: told})}
        )

    def _boxes(self, raw: Raw, through: Window, shown: int) -> str:
        if len(raw["tracks"]) != len(raw["images"]):
            raise DataError(
                f"{len(raw['tracks'])} tracks for {len(raw['images'])} images; want a box a frame"
            )
        boxes, left = through.boxes(raw["tracks"][-shown - 1 :])
        if not left[-1]:
            raise DataError("the thing to draw lies outside of the part of the frame that is shown")
        named = zip([*marks(shown), NEXT], boxes, left, strict=True)
        return " ".join(
            f"{mark} {boxes_to_text(box[None]) if inside else MISSING}" for mark, box, inside in named
        )

    def _actions(self, raw: Raw, shown: int) -> str:
        actions = raw["actions"]
        if len(actions) < len(raw["images"]) - 1:
            raise DataError(
                f"{len(actions)} actions for {len(raw['images'])} images; want one after every frame"
            )
        first = len(raw["images"]) - 1 - shown
        done = zip(marks(shown), actions[first : first + shown], strict=True)
        return " ".join(f"{mark} {spell(action, self.command)}" for mark, action in done)
