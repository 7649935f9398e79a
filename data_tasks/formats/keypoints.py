"""Format 10: where the body parts of a person are."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.medium import read, seen, told
from data_tasks.formats.shown import within
from unified_io.errors import DataError, unknown
from unified_io.evaluation.keypoints import OKS
from unified_io.evaluation.metric import Mean, Metric
from unified_io.structures import (
    COCO_PARTS,
    boxes_to_text,
    fill_missing,
    keypoints_to_text,
    text_to_keypoints,
    to_middle,
)
from unified_io.vocab import LOCATION_BINS

MOST = 5  # parts named in one prompt
NEAR = 0.1  # of the longer side of the person's box


def parts_right(predicted: Mapping[str, Any], truth: Mapping[str, Any]) -> float:
    """Returns the share of named parts that are said to be hidden where they are, else lie near their place.

    Source: the percentage of correct keypoints (PCK), of the person's box; OKS needs all parts for its scale.
    """
    far = np.linalg.norm(np.asarray(predicted["points"]) - np.asarray(truth["points"]), axis=-1)
    near = far <= NEAR * np.ptp(np.reshape(truth["box"], (2, 2)), axis=0).max()
    seen, there = np.asarray(predicted["visible"], bool), np.asarray(truth["visible"], bool)
    return float(np.where(there, seen & near, ~seen & np.asarray(predicted["said"], bool)).mean())


PARTS_RIGHT = Mean("parts_right", each=parts_right)


@dataclasses.dataclass(frozen=True)
class FindKeypoints(Format):
    """Finds body parts of the person in the slot {box} of the prompt: `y x part` each, in COCO's order.

    A part that is not labelled, or cropped away, is written MISSING. A person counts from two parts on, which span an
    area: without one, nothing says how far off is far.

    Attributes:
      parts: "all" 17 of COCO, scored by OKS; "some", one to five named by the slot {parts}, one of them there.
    """

    parts: str = "all"

    def __post_init__(self):
        if self.parts not in ("all", "some"):
            raise unknown("choice of body parts", self.parts, ("all", "some"))

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("image",)), "boxes", "keypoints"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (OKS,) if self.parts == "all" else (PARTS_RIGHT,)

    @property
    def decoding(self) -> Mapping[str, Any]:
        # Where each part is missing as often as not, the likeliest answer is that all of them are.
        return {"constraint": "body_parts"} if self.parts == "all" else {}

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        boxes, places = within(raw["boxes"], through, raw.get("crowd"))
        keypoints = _keypoints(raw)[places]
        points = through.points(keypoints[..., :2])
        there = (keypoints[..., 2] > 0) & ((points >= 0) & (points <= 1)).all(axis=-1)
        persons = [i for i in range(len(boxes)) if _spans(points[i][there[i]])]
        if not persons:
            raise DataError("no person with two body parts to be seen")
        person = persons[rng.integers(len(persons))]
        points, there = np.where(there[person, :, None], points[person], 0), there[person]
        named = np.arange(len(COCO_PARTS)) if self.parts == "all" else _drawn(there, rng)
        names = [COCO_PARTS[i] for i in named]
        slots = {"box": boxes_to_text(boxes[[person]])}
        truth: Any = [np.concatenate([points, there[:, None]], axis=1).tolist()]
        if self.parts == "some":
            slots["parts"] = ", ".join(names)
            truth = {"points": points[named], "visible": there[named], "parts": names, "box": boxes[person]}
        texts = {
            "text_inputs": self.ask(raw, rng, **slots),
            "text_targets": keypoints_to_text(points[named], there[named], names),
        }
        return judged(raw, truth) | seen(raw, ("image",), rng, through) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> Any:
        """Reads points: of "all", one person [1, 17, 2] with what is missing at the mean, or none."""
        if self.parts == "all":
            found = text_to_keypoints(answer)
            points = fill_missing(to_middle(found.points), found.visible)
            return [points.tolist()] if found.visible.any() else []
        parts = self.truth(example)["parts"]
        found = text_to_keypoints(answer, parts)
        return {
            "points": to_middle(found.points),
            "visible": found.visible,
            "said": [p in answer for p in parts],
        }


def _keypoints(raw: Raw) -> np.ndarray:
    keypoints = raw["keypoints"]
    if keypoints.shape != (len(raw["boxes"]), len(COCO_PARTS), 3):
        raise DataError(
            f"keypoints have shape {list(keypoints.shape)} for {len(raw['boxes'])} boxes; want (y, x, visible) of "
            f"{len(COCO_PARTS)} parts a box"
        )
    return keypoints


def _spans(points: np.ndarray) -> bool:
    return len(points) > 1 and bool(np.ptp(points, axis=0).min() > 1 / (LOCATION_BINS - 1))


def _drawn(there: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws parts to name, one that is there among them, in COCO's order."""
    first = rng.choice(np.flatnonzero(there))
    others = rng.permutation(np.delete(np.arange(len(there)), first))[: rng.integers(MOST)]
    return np.sort([first, *others])
