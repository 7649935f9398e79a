"""Format 19: a scene seen from another camera."""

import dataclasses

import numpy as np

from data_tasks.formats.base import Fields, Raw, judged
from data_tasks.formats.frames import marks
from data_tasks.formats.medium import MEDIA, seen
from data_tasks.formats.painted import Painted, check_size, target
from data_tasks.formats.track import EARLIER
from unified_io.errors import DataError
from unified_io.preprocess.window import Window
from unified_io.structures import camera_change, camera_to_text


@dataclasses.dataclass(frozen=True)
class NovelView(Painted):
    """Draws the last of several views. The slot {camera} says how its camera differs from that of the view shown.

        2 views     the first is shown                     {camera} = four location tokens
        3 and more  the last but one is shown, those       {camera} = <image_history_1> and its four tokens, ...,
                    before it are history                  <image_input> and its four tokens

    Pictures are shown whole, in training too: what a camera sees would be another thing if it were cropped.

    Source: Unified-IO 2's view synthesis, whose change of the camera is that of Zero-1-to-3.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "cameras"

    @property
    def shows(self) -> tuple[str, ...]:
        return MEDIA["video"].writes

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        cameras = raw["cameras"]
        if len(cameras) != len(raw["images"]) or len(cameras) < 2:
            raise DataError(
                f"{len(cameras)} cameras for {len(raw['images'])} images; want one each, and one view to show at least"
            )
        *given, wanted = raw["images"][-EARLIER - 2 :]
        cameras = cameras[-len(given) - 1 :]
        check_size("images[-1]", wanted.shape, given[-1].shape, "the view before it")
        through = Window.around(wanted.shape[:2])
        changes = [camera_to_text(camera_change(camera, cameras[-1])) for camera in cameras[:-1]]
        moves = (
            changes[0]
            if len(given) == 1
            else " ".join(f"{mark} {change}" for mark, change in zip(marks(len(given)), changes, strict=True))
        )
        return (
            judged(raw, moves)
            | seen({"images": given}, ("video",), rng, through)
            | target(wanted, through)
            | {"text_inputs": self.ask(raw, rng, camera=moves)}
        )
