"""Format 6: how things in a picture stand to each other; for one pair, or all relations of a thing or of a class."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.choose import nearest
from data_tasks.formats.medium import read, seen, told
from unified_io.errors import DataError, unknown
from unified_io.evaluation import boxes as overlaps
from unified_io.evaluation.metric import Mean, Metric
from unified_io.evaluation.sets import F1
from unified_io.evaluation.text import EXACT
from unified_io.structures import boxes_to_text, text_to_boxes

Relation = tuple[int, str, int]
"""A thing, what it does, and to which thing; things are numbers of boxes."""

_MUTUAL = (
    "near",
    "next to",
    "beside",
    "by",
    "with",
    "touching",
    "adjacent to",
    "close to",
)  # both ways round
ASKS = ("pair", "phrases", "yes_no", "object", "class")


@dataclasses.dataclass(frozen=True)
class Relate(Format):
    """Asks for relations of which the window leaves both boxes.

    What the source does not state counts as false: it knows no better.

        pair      {subject} and {object} are boxes              "on"
        phrases   {subject} and {object} are names              "on"
        yes_no    {statement} is "cup on table", true or not    "yes"
        object    {box} and {name} of one thing                 for every other: its box, "on table", "dog near it"
        class     {name} of a class                             for every instance: its box, "on table"

    Attributes:
      ask: Which of these.

    Source: Unified-IO 2, section 5 and appendix D.11.
    """

    ask: str = "pair"

    def __post_init__(self):
        if self.ask not in ASKS:
            raise unknown("question about relations", self.ask, ASKS)

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("image",)), "boxes", "names", "relations"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (LISTED, PLACED) if self._lists else (EXACT,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        boxes, left = through.boxes(raw["boxes"])
        relations = [(i, said, j) for i, said, j in _checked(raw) if left[i] and left[j]]
        if not relations:
            raise DataError("field relations holds none of which both boxes are in the window")
        chosen = relations[rng.integers(len(relations))]
        if self._lists:
            slots, found = self._all(raw, boxes, relations, chosen)
            if raw.get("training", True):
                found = [found[place] for place in rng.permutation(len(found))]
            places, labels = np.stack([boxes[place] for place, _ in found]), [label for _, label in found]
            target, options = boxes_to_text(places, labels), None
            truth: Any = {"boxes": places, "labels": labels}
        else:
            slots, target, truth, options = self._one(raw, boxes, relations, chosen, rng)
        # The field that says what is asked has the name of the method.
        texts = {"text_inputs": super().ask(raw, rng, **slots), "text_targets": target}
        return judged(raw, truth, options) | seen(raw, ("image",), rng, through) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> Any:
        if not self._lists:
            return nearest(" ".join(answer.split()), self.options(example))
        found = text_to_boxes(answer)
        return {"boxes": found.boxes.tolist(), "labels": found.labels}

    @property
    def _lists(self) -> bool:
        return self.ask in ("object", "class")

    def _one(
        self,
        raw: Raw,
        boxes: np.ndarray,
        relations: list[Relation],
        chosen: Relation,
        rng: np.random.Generator,
    ) -> tuple[dict[str, str], str, Any, list[str] | None]:
        """Slots, target, truth and options of a question about one pair."""
        names, (i, said, j) = raw["names"], chosen
        if self.ask == "yes_no":
            answer = "yes" if rng.random() < 0.5 else "no"
            # Also where the answer is yes: what can not be made false would always be true.
            false = _false(raw, chosen, rng)
            statement = " ".join(_named(names, chosen if answer == "yes" else false))
            return {"statement": statement}, answer, answer, ["yes", "no"]
        if self.ask == "pair":
            slots = {"subject": boxes_to_text(boxes[[i]]), "object": boxes_to_text(boxes[[j]])}
            truths = [other for k, other, m in relations if (k, m) == (i, j)]
        else:
            slots = {"subject": names[i], "object": names[j]}
            truths = [other for k, other, m in relations if (names[k], names[m]) == (names[i], names[j])]
        return slots, said, list(dict.fromkeys(truths)), None

    def _all(
        self, raw: Raw, boxes: np.ndarray, relations: list[Relation], chosen: Relation
    ) -> tuple[dict[str, str], list[tuple[int, str]]]:
        """Slots, and what to list: a box and what is said of it."""
        names, thing = raw["names"], chosen[0]
        if self.ask == "class":
            listed = [(i, f"{said} {names[j]}") for i, said, j in relations if names[i] == names[thing]]
            return {"name": names[thing]}, listed
        others = [(j, f"{said} {names[j]}") for i, said, j in relations if i == thing]
        others += [(i, f"{names[i]} {said} it") for i, said, j in relations if j == thing]
        return {"box": boxes_to_text(boxes[[thing]]), "name": names[thing]}, others


def _checked(raw: Raw) -> list[Relation]:
    """The relations of an example, each once.

    Raises:
      DataError: One is not [number of a box, words, number of a box], or there is not one name a box.
    """
    count, found = len(raw["boxes"]), {}
    if len(raw["names"]) != count:
        raise DataError(f"field names has {len(raw['names'])} entries for {count} boxes; want one each")
    for relation in raw["relations"]:
        match relation:
            case [int() | np.integer() as i, str(said), int() | np.integer() as j] if (
                0 <= i < count and 0 <= j < count and said.strip()
            ):
                found[int(i), " ".join(said.split()), int(j)] = None
            case _:
                raise DataError(
                    f"field relations has {relation!r}; want [subject, words, object], numbers of {count} boxes"
                )
    return list(found)


def _named(names: Sequence[str], relation: Relation) -> tuple[str, str, str]:
    return names[relation[0]], relation[1], names[relation[2]]


def _false(raw: Raw, true: Relation, rng: np.random.Generator) -> Relation:
    """A relation that differs from a true one in one part, or the wrong way round, and is stated of no such things.

    Raises:
      DataError: There is none.
    """
    (i, said, j), names, stated = true, raw["names"], _checked(raw)
    others = [(i, word, j) for word in dict.fromkeys(word for _, word, _ in stated)]
    others += [(i, said, k) for k in range(len(names)) if k != i]
    others += [(k, said, j) for k in range(len(names)) if k != j]
    others += [] if said in _MUTUAL else [(j, said, i)]
    known = {_named(names, relation) for relation in stated}
    wrong = [relation for relation in others if _named(names, relation) not in known]
    if not wrong:
        raise DataError("field relations is too poor to make a false statement of; leave the example out")
    return wrong[rng.integers(len(wrong))]


def _placed(prediction: Mapping[str, Any], truth: Mapping[str, Any]) -> float:
    made, true = overlaps.read(prediction), overlaps.read(truth)
    return overlaps.accuracy(overlaps.proper(made.boxes), made.labels, true.boxes, true.labels)


LISTED = Mean("relations_f1", each=lambda prediction, truth: F1.each(prediction["labels"], truth["labels"]))
PLACED = Mean("relations_acc50", each=_placed)
