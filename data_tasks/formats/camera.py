"""Format 14: how the camera moved from one view of a thing to another."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.frames import marks
from data_tasks.formats.medium import read, seen, told
from unified_io.errors import DataError
from unified_io.evaluation.camera import ANGLE, RADIUS
from unified_io.evaluation.metric import Metric
from unified_io.preprocess.window import Window
from unified_io.structures import camera_change, camera_to_text, text_to_camera


@dataclasses.dataclass(frozen=True)
class CameraPose(Format):
    """Says how the camera of the current view, the last, differs from that of the first: four location tokens.

        2 views       {views} = <image_history_1>
        3 and more    {views} = <image_history_1>, and each other view with how its camera differs from the first:
                      <image_history_2> and its four tokens, …

    Pictures are shown whole, in training too: a crop would look like another camera.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("video",)), "cameras"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("video",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return ANGLE, RADIUS

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        views, cameras = raw["images"], raw["cameras"]
        if len(views) < 2 or np.shape(cameras) != (len(views), 3):
            raise DataError(
                f"cameras have shape {list(np.shape(cameras))} for {len(views)} images; want (theta, phi, r) of each, "
                "and at least two"
            )
        reference, *between, wanted = cameras
        known = [camera_to_text(camera_change(reference, camera)) for camera in between]
        listed = " ".join(
            f"{mark} {change}".strip()
            for mark, change in zip(marks(len(views))[:-1], ["", *known], strict=True)
        )
        change = camera_change(reference, wanted)
        texts = {"text_inputs": self.ask(raw, rng, views=listed), "text_targets": camera_to_text(change)}
        media = seen(raw, ("video",), rng, Window.around(views[-1].shape[:2]))
        return judged(raw, {"reference": reference, "camera": wanted}) | media | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> list[float] | None:
        """Returns the camera (theta, phi, r) that an answer leads to: a change alone does not say how far off."""
        change = text_to_camera(answer)
        return None if change is None else (super().truth(example)["reference"] + change).tolist()

    def truth(self, example: Mapping[str, Any]) -> list[float]:
        return super().truth(example)["camera"]
