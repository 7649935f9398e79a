"""Format 17: a picture changed as an instruction says, or made from a map."""

import dataclasses

import numpy as np

from data_tasks.formats.base import Fields, Raw, judged, window
from data_tasks.formats.medium import MEDIA, seen
from data_tasks.formats.painted import Painted, check_size, target
from unified_io.errors import DataError, unknown

_GIVEN = {"image": "image", "map": "image", "history": "video"}


@dataclasses.dataclass(frozen=True)
class Edit(Painted):
    """Draws a picture from one of its size and the slot {instruction}; both are framed alike.

    Attributes:
      given: "image": the picture to change; "map": a mask, depth, edges, of which a picture is made, the instruction
        being its caption and the kind of map; "history": several pictures so far (raw field `images`), the last of
        which is changed and the others are history.
    """

    given: str = "image"

    def __post_init__(self):
        if self.given not in _GIVEN:
            raise unknown("thing to edit", self.given, _GIVEN)

    @property
    def reads(self) -> tuple[str, ...]:
        return *MEDIA[_GIVEN[self.given]].reads, "image_target", "instruction"

    @property
    def shows(self) -> tuple[str, ...]:
        return MEDIA[_GIVEN[self.given]].writes

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        instruction = " ".join(raw["instruction"].split())
        if not instruction:
            raise DataError("field instruction is empty")
        current = raw["images"][-1] if self.given == "history" and raw["images"] else raw.get("image")
        if current is None:
            raise DataError("field images is empty; give the pictures so far")
        check_size("image_target", raw["image_target"].shape, current.shape, "the picture to change")
        through = window(raw, rng, current)
        return (
            judged(raw, instruction)
            | seen(raw, (_GIVEN[self.given],), rng, through)
            | target(raw["image_target"], through)
            | {"text_inputs": self.ask(raw, rng, instruction=instruction)}
        )
