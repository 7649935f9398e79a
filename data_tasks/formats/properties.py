"""Format 11: one property of a box instead of the box, as numbers written with location tokens."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.box_values import PROPERTIES
from data_tasks.formats.medium import read, seen, told
from data_tasks.formats.shown import draw_label, labels_of, within
from unified_io.errors import unknown
from unified_io.evaluation.matching import matched_share
from unified_io.evaluation.metric import Mean, Metric
from unified_io.structures import text_to_values, to_middle, values_to_text

TOLERANCE = 0.02  # of the side of the square; of its area where the property is one
FIELD_OF = {"class": "names", "phrase": "phrases"}


def share_within(predicted: Mapping[str, Any], truth: Mapping[str, Any]) -> float:
    """Returns hits / (predicted + missed groups of numbers); a hit is within TOLERANCE in every number.

    Groups are matched one to one, whatever their order.
    """
    found, true = np.asarray(predicted["values"]), np.asarray(truth["values"])
    if not len(found):
        return 0.0
    off = np.abs(found[:, None] - true[None]).max(axis=-1)
    return matched_share((off <= TOLERANCE).astype(np.float64))


WITHIN = Mean("within_0.02", each=share_within)


@dataclasses.dataclass(frozen=True)
class RegionProperty(Format):
    """Says a property of things, such as the width or the top left corner; every property of `box_values` is asked for.

    Attributes:
      of: What names the things: "class" gives the property of every thing of the class {name}, in random order;
        "phrase" that of the one thing that {phrase} describes. The slot {property} says which.
    """

    of: str = "phrase"

    def __post_init__(self):
        if self.of not in FIELD_OF:
            raise unknown("way to name a region", self.of, FIELD_OF)

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("image",)), "boxes", FIELD_OF[self.of]

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (WITHIN,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        boxes, places = within(raw["boxes"], through, raw.get("crowd"))
        labels = labels_of(raw, FIELD_OF[self.of], places)
        label = draw_label(labels, self.of == "phrase", rng)
        name = list(PROPERTIES)[rng.integers(len(PROPERTIES))]
        chosen = rng.permutation([i for i, other in enumerate(labels) if other == label])
        values = [PROPERTIES[name].of(boxes[i]) for i in chosen]
        slots = {"property": name, "name" if self.of == "class" else "phrase": label}
        texts = {
            "text_inputs": self.ask(raw, rng, **slots),
            "text_targets": values_to_text(np.clip(values, 0, 1), PROPERTIES[name].size),
        }
        return judged(raw, {"values": values}) | seen(raw, ("image",), rng, through) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> dict[str, Any]:
        return found_values(answer, len(self.truth(example)["values"][0]))


def found_values(answer: str, size: int) -> dict[str, Any]:
    """Reads groups of `size` numbers, in the form that `share_within` compares."""
    return {"values": to_middle(text_to_values(answer, size).values)}
