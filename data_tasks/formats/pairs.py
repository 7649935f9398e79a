"""Two things described in one query: both boxes, properties of each, which is larger, or a value of both together."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.box_values import COMPARED, JOINT, PROPERTIES, Box
from data_tasks.formats.medium import read, seen, told
from data_tasks.formats.properties import TOLERANCE, found_values
from data_tasks.formats.shown import labels_of, within
from unified_io.errors import DataError, unknown
from unified_io.evaluation.metric import Mean, Metric
from unified_io.evaluation.text import EXACT
from unified_io.evaluation.tracking import overlaps
from unified_io.structures import values_to_text

CLEAR = 1.1  # what is compared differs by this factor, else nobody can tell


def places_within(predicted: Mapping[str, Any], truth: Mapping[str, Any]) -> float:
    """Returns the share of groups of numbers that are right at their place, to TOLERANCE in every number.

    The order counts: the first answer is about the first thing. Groups too many cost as groups too few.
    """
    found, true = (np.asarray(one["values"], np.float64) for one in (predicted, truth))
    both = min(len(found), len(true))
    hits = (np.abs(found[:both] - true[:both]) <= TOLERANCE).all(axis=1).sum()
    return float(hits / max(len(found), len(true)))


def boxes_right(predicted: Mapping[str, Any], truth: Mapping[str, Any]) -> float:
    """Returns the share of boxes that overlap the true one at their place by more than a half."""
    return float((overlaps(predicted["values"], truth["values"]) > 0.5).mean())


IN_PLACE = Mean("in_place_0.02", each=places_within)
BOTH50 = Mean("both_acc50", each=boxes_right)

Asked = tuple[dict[str, str], Any]
"""The content of the slots besides {first} and {second}; the answer: groups of numbers, or a word."""


def _both(first: Box, second: Box, rng: np.random.Generator) -> Asked:
    return {}, [first.tolist(), second.tolist()]


def _same(first: Box, second: Box, rng: np.random.Generator) -> Asked:
    name, of = _drawn(rng, 1)[0]
    return {"property": name}, [of(first), of(second)]


def _different(first: Box, second: Box, rng: np.random.Generator) -> Asked:
    (one, of), (other, of_other) = _drawn(rng, 2)
    # One group, for the two may be of different length.
    return {"first_property": one, "second_property": other}, [of(first) + of_other(second)]


def _which(first: Box, second: Box, rng: np.random.Generator) -> Asked:
    more, is_first = _compared(first, second, rng)
    return {"more": more}, "1" if is_first else "2"


def _whether(first: Box, second: Box, rng: np.random.Generator) -> Asked:
    more, is_first = _compared(first, second, rng)
    return {"more": more}, "yes" if is_first else "no"


def _joint(first: Box, second: Box, rng: np.random.Generator) -> Asked:
    name = list(JOINT)[rng.integers(len(JOINT))]
    return {"value": name}, [JOINT[name][1](first, second)]


@dataclasses.dataclass(frozen=True)
class _Ask:
    question: Callable[[Box, Box, np.random.Generator], Asked]
    metric: Metric
    options: tuple[str, ...] = ()


ASKS = {
    "both": _Ask(_both, BOTH50),
    "same": _Ask(_same, IN_PLACE),
    "different": _Ask(_different, IN_PLACE),
    "which": _Ask(_which, EXACT, ("1", "2")),
    "whether": _Ask(_whether, EXACT, ("yes", "no")),
    "joint": _Ask(_joint, IN_PLACE),
}


@dataclasses.dataclass(frozen=True)
class TwoRegions(Format):
    """Asks about two things that phrases describe, the slots {first} and {second} of the prompt.

    Attributes:
      ask_for: "both" boxes; the "same" {property} of both; "different" ones, {first_property} and {second_property};
        "which" of the two is {more}, 1 or 2; "whether" the first is, yes or no; a "joint" {value}.
    """

    ask_for: str = "both"

    def __post_init__(self):
        if self.ask_for not in ASKS:
            raise unknown("question about two regions", self.ask_for, ASKS)

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("image",)), "boxes", "phrases"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (ASKS[self.ask_for].metric,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        boxes, places = within(raw["boxes"], through, raw.get("crowd"))
        phrases = labels_of(raw, "phrases", places)
        alone = [i for i, phrase in enumerate(phrases) if phrases.count(phrase) == 1]
        if len(alone) < 2:
            raise DataError("less than two things to be seen have a phrase that describes no other")
        first, second = rng.permutation(alone)[:2]
        asked = ASKS[self.ask_for]
        slots, answer = asked.question(boxes[first], boxes[second], rng)
        slots |= {"first": phrases[first], "second": phrases[second]}
        numbers = None if asked.options else np.clip(answer, 0, 1)
        target = answer if numbers is None else values_to_text(numbers, numbers.shape[1])
        truth = answer if numbers is None else {"values": answer}
        texts = {"text_inputs": self.ask(raw, rng, **slots), "text_targets": target}
        return judged(raw, truth, list(asked.options)) | seen(raw, ("image",), rng, through) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> Any:
        if ASKS[self.ask_for].options:
            return answer
        return found_values(answer, len(self.truth(example)["values"][0]))


def _drawn(rng: np.random.Generator, count: int) -> list[tuple[str, Callable[[Box], list[float]]]]:
    names = rng.permutation(list(PROPERTIES))[:count]
    return [(str(name), PROPERTIES[name].of) for name in names]


def _compared(first: Box, second: Box, rng: np.random.Generator) -> tuple[str, bool]:
    """Draws what to compare, of what differs clearly, and whether the first is more so.

    Raises:
      DataError: The boxes are too alike.
    """
    told = []
    for more, name in COMPARED.items():
        (one,), (other,) = PROPERTIES[name].of(first), PROPERTIES[name].of(second)
        if max(one, other) >= CLEAR * min(one, other):
            told.append((more, (one < other) == (more == "smaller")))
    if not told:
        raise DataError("the two boxes are too alike to be compared")
    return told[rng.integers(len(told))]
