"""Format 12: follows one thing through frames; its boxes so far are given, that in the current frame is asked for."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.frames import marker
from data_tasks.formats.medium import read, seen, told
from data_tasks.formats.shown import within
from unified_io.errors import DataError
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.tracking import SUCCESS, TRACK_IOU
from unified_io.structures import MISSING, boxes_to_text, text_to_boxes, to_middle, values_to_bins

EARLIER = 4  # frames that models keep as history


@dataclasses.dataclass(frozen=True)
class Track(Format):
    """Says where a thing is now: `y1 x1 y2 x2`, from the slot {track} of the prompt.

    It lists every earlier frame, up to four, with the box there or MISSING:
    "<image_history_1> y1 x1 y2 x2 <image_history_2> MISSING". A box without area in `tracks` is one out of sight.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("video",)), "tracks"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("video",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return SUCCESS, TRACK_IOU

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        frames, track = raw["images"][-EARLIER - 1 :], np.asarray(raw["tracks"])
        if track.shape != (len(raw["images"]), 4) or len(frames) < 2:
            raise DataError(
                f"tracks have shape {list(track.shape)} for {len(raw['images'])} frames; want one box a frame, and at "
                "least two frames"
            )
        through = window(raw, rng, frames[-1])
        box, _ = within(track[-1:], through)
        earlier, _ = through.boxes(track[-len(frames) : -1])
        texts = {"text_inputs": self.ask(raw, rng, track=listed(earlier)), "text_targets": boxes_to_text(box)}
        return judged(raw, {"boxes": box}) | seen({**raw, "images": frames}, ("video",), rng, through) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> dict[str, Any]:
        """Reads the first box."""
        return {"boxes": to_middle(text_to_boxes(answer).boxes[:1])}


def listed(boxes: Float[np.ndarray, "n 4"]) -> str:
    """Writes the box in every earlier frame behind its marker, MISSING where it has no area.

    Raises:
      DataError: None has an area.
    """
    bins = values_to_bins(boxes)
    there = (bins[:, 2:] > bins[:, :2]).all(axis=1)
    if not there.any():
        raise DataError("the thing is in none of the earlier frames; start the track later")
    return " ".join(
        f"{marker(place)} {boxes_to_text(box[None]) if seen else MISSING}"
        for place, (box, seen) in enumerate(zip(boxes, there, strict=True), 1)
    )
