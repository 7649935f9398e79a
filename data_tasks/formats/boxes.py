"""Format 9: where things are in a picture, as boxes written with location tokens."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.medium import read, seen, told
from data_tasks.formats.shown import draw_label, labels_of, plain, within
from unified_io.errors import unknown
from unified_io.evaluation.boxes import ACC50, AP, FRAME_AP, GRIT, MEAN_IOU, keep_first
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.sounding import CIOU
from unified_io.structures import boxes_to_text, text_to_boxes, to_middle

# Of two boxes of one label that overlap by more than this (IoU) the later is a repetition. Whatever its label, as in
# the released evaluation, one person's second action would be one.
OVERLAP = 0.8
MOST = 4  # classes asked for at once


@dataclasses.dataclass(frozen=True)
class Query:
    """One way to ask for boxes.

    Attributes:
      media: What is looked at.
      field: The raw field that labels the boxes.
      slot: What stands in the prompt; nothing where everything is asked for.
      labelled: Whether the answer names the boxes.
      metrics: What answers are judged by.
    """

    media: tuple[str, ...]
    field: str
    slot: str | None
    labelled: bool
    metrics: tuple[Metric, ...]


QUERIES = {
    "none": Query(("image",), "names", None, True, (AP, GRIT)),
    "class": Query(("image",), "names", "name", False, (GRIT, AP)),
    "classes": Query(("image",), "names", "names", True, (AP, GRIT)),
    "phrase": Query(("image",), "phrases", "phrase", False, (ACC50, MEAN_IOU)),
    "string": Query(("image",), "phrases", "text", False, (GRIT, AP)),
    "action": Query(("video",), "names", None, True, (FRAME_AP, AP)),
    "sound": Query(("image", "audio"), "phrases", None, True, (CIOU, GRIT, AP)),
}


@dataclasses.dataclass(frozen=True)
class FindBoxes(Format):
    """Finds things: `y1 x1 y2 x2`, with the label behind it where several kinds are asked for, in random order.

    Things cropped away are neither asked for nor answered. At least one box answers every question: a class that is
    not there is only asked for beside one that is (`classes`), since an empty text is no target. Crowds are left out.

    Attributes:
      query: "none" is everything; "class" all of the class {name}; "classes" all of one to four classes {names}, drawn
        from the closed set `classes` where it is mapped; "phrase" the one thing that {phrase} describes; "string" all
        places where {text} is written; "action" people and what they do in the last frame; "sound" what is heard.
    """

    query: str = "class"

    def __post_init__(self):
        if self.query not in QUERIES:
            raise unknown("query", self.query, QUERIES)

    @property
    def reads(self) -> tuple[str, ...]:
        query = QUERIES[self.query]
        return *read(query.media), "boxes", query.field

    @property
    def writes(self) -> tuple[str, ...]:
        return told(QUERIES[self.query].media)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return QUERIES[self.query].metrics

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        query = QUERIES[self.query]
        through = window(raw, rng, raw["images"][-1] if query.media == ("video",) else None)
        boxes, places = within(raw["boxes"], through, raw.get("crowd"))
        labels = labels_of(raw, query.field, places)
        slots, chosen = self._asked(labels, raw.get("classes"), rng)
        if raw.get("training", True):
            chosen = rng.permutation(chosen)
        boxes, labels = boxes[chosen], [labels[i] for i in chosen] if query.labelled else None
        truth = {"boxes": boxes, "labels": labels or [""] * len(boxes)}
        target = self.written(boxes, labels, rng, slots, truth)
        texts = {"text_inputs": self.ask(raw, rng, **slots), "text_targets": target}
        return judged(raw, truth) | seen(raw, query.media, rng, through) | texts

    def written(
        self,
        boxes: Float[np.ndarray, "n 4"],
        labels: list[str] | None,
        rng: np.random.Generator,
        slots: dict[str, str],
        truth: dict[str, Any],
    ) -> str:
        """Writes the answer; another way to write it adds what it asks to the slots and what reads it to the truth."""
        return boxes_to_text(boxes, labels)

    def parse(self, answer: str, example: Mapping[str, Any]) -> dict[str, Any]:
        """Reads boxes and labels: without area or repeated ones left out, labels only where they were asked for."""
        found = text_to_boxes(answer)
        return found_boxes(to_middle(found.boxes), found.labels if QUERIES[self.query].labelled else None)

    def _asked(
        self, labels: list[str], classes: list[str] | None, rng: np.random.Generator
    ) -> tuple[dict[str, str], Int[np.ndarray, " n"]]:
        """Draws what to ask for: the content of the slots, and which boxes answer."""
        slot = QUERIES[self.query].slot
        if slot is None:
            return {}, np.arange(len(labels))
        asked = [draw_label(labels, self.query == "phrase", rng)]
        if self.query == "classes":
            asked = _with_others(asked[0], [plain(name) for name in classes or labels], rng)
        chosen = [i for i, label in enumerate(labels) if label in asked]
        return {slot: ", ".join(asked)}, np.array(chosen)


def found_boxes(boxes: Float[np.ndarray, "n 4"], labels: Sequence[str] | None = None) -> dict[str, Any]:
    """Makes a prediction of boxes as they were read: without those that have no area or repeat an earlier one."""
    labels = [""] * len(boxes) if labels is None else [plain(label) for label in labels]
    real = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
    kept: list[int] = []
    for label in {labels[i] for i in real}:
        same = real[[labels[i] == label for i in real]]
        kept += same[keep_first(boxes[same], OVERLAP)].tolist()
    kept.sort()
    return {"boxes": boxes[kept], "labels": [labels[i] for i in kept]}


def _with_others(name: str, classes: list[str], rng: np.random.Generator) -> list[str]:
    """Returns a class among up to three others, in random order."""
    others = sorted({*classes} - {name})
    count = int(rng.integers(min(MOST, len(others) + 1)))
    names = [name, *(others[i] for i in rng.permutation(len(others))[:count])]
    return [names[i] for i in rng.permutation(len(names))]
