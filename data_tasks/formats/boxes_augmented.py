"""Format 9 asked in other ways: the numbers of a box in another order, with or without names."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.formats.box_values import ORDERS, ordered, unordered
from data_tasks.formats.boxes import FindBoxes, found_boxes
from unified_io.structures import text_to_values, to_middle, values_to_text

NAMED = "then the name"
UNNAMED = "no name"


@dataclasses.dataclass(frozen=True)
class WrittenBoxes(FindBoxes):
    """Finds things and writes their boxes as the slot {order} of the prompt asks: "x1 y1 width height, no name".

    The order is drawn. Where the plain query names its boxes, whether to name them is drawn too; a query for one
    class or phrase has nothing to name.
    """

    def written(
        self,
        boxes: Float[np.ndarray, "n 4"],
        labels: list[str] | None,
        rng: np.random.Generator,
        slots: dict[str, str],
        truth: dict[str, Any],
    ) -> str:
        order = list(ORDERS)[rng.integers(len(ORDERS))]
        named = labels is not None and bool(rng.integers(2))
        slots["order"] = f"{order}, {NAMED if named else UNNAMED}"
        truth |= {"order": order, "named": named}
        if not named:
            truth["labels"] = [""] * len(boxes)
        return values_to_text(ordered(boxes, order), 4, labels if named else None)

    def parse(self, answer: str, example: Mapping[str, Any]) -> dict[str, Any]:
        truth = self.truth(example)
        found = text_to_values(answer, 4)
        boxes = unordered(to_middle(found.values), truth["order"])
        return found_boxes(boxes, found.labels if truth["named"] else None)
