"""Plans for a robot whose goal speaks of things by their pictures, places or names."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.formats.act import goal_of
from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.frames import marks
from data_tasks.formats.medium import seen, told
from data_tasks.formats.program import PLAN, read_program, write_program
from data_tasks.formats.shown import plain
from data_tasks.formats.track import EARLIER
from unified_io.errors import DataError, unknown
from unified_io.evaluation.metric import Metric
from unified_io.preprocess.window import Window
from unified_io.structures import boxes_to_text

THINGS = ("pictures", "phrases", "boxes", "both")
_SLOT = re.compile(r"(?:\bthe )?\{(\w+)\}")


@dataclasses.dataclass(frozen=True)
class PromptedPlan(Format):
    """Writes all that is to be done, as `Act` does a program; `goal` names things in braces: "put {dragged} on {base}".

    For every thing there are its name in `names`, what it looks like in `phrases`, where it is in the scene in `boxes`
    (no area: it is not there, and is spoken of without a place), and its picture in `images`, in one order; the scene
    comes last. Pictures are shown whole.

        pictures  put <image_history_1> on <image_history_2>
        phrases   put the red block on the wooden pan
        boxes     put the thing at y1 x1 y2 x2 on ...
        both      put <image_history_1> at y1 x1 y2 x2 on ...

    Attributes:
      things: How the goal speaks of things: "pictures", "phrases", "boxes" or "both".
      find: Whether the answer says first where the things are: the box and the phrase of each, before the plan.
    """

    things: str = "pictures"
    find: bool = False

    def __post_init__(self):
        if self.things not in THINGS:
            raise unknown("way to speak of things", self.things, THINGS)

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "goal", "actions", "names", "phrases", "boxes"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("pictures",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (PLAN,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        *pictures, scene = raw["images"] or [np.zeros(0)]
        names, phrases = raw["names"], raw["phrases"]
        if not len(pictures) == len(names) == len(phrases) == len(raw["boxes"]) <= EARLIER:
            raise DataError(
                f"{len(pictures)} pictures, {len(names)} names, {len(phrases)} phrases, {len(raw['boxes'])} boxes of "
                f"things; want one each, at most {EARLIER}"
            )
        shown = [*pictures, scene] if self.things in ("pictures", "both") else [scene]
        boxes = Window.around(scene.shape[:2]).boxes(raw["boxes"])[0]
        there = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        words = dict(zip(names, self._words(phrases, boxes, there), strict=True))
        goal = _SLOT.sub(lambda found: _word(found[1], words), goal_of(raw))
        answer = write_program(raw["actions"])
        if self.find:
            found = boxes_to_text(boxes[there], [plain(phrases[i]) for i in np.flatnonzero(there)])
            answer = f"{found} {answer}".strip()
        media = seen({"images": shown, "training": False}, ("pictures",), rng)
        texts = {"text_inputs": self.ask(raw, rng, goal=goal), "text_targets": answer}
        return judged(raw, list(raw["actions"])) | media | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> Any:
        return read_program(answer)

    def _words(
        self, phrases: list[str], boxes: Float[np.ndarray, "n 4"], there: Bool[np.ndarray, "n"]
    ) -> list[str]:
        """How each thing is spoken of; by its place only where it has one."""
        named, shown = [f"the {plain(phrase)}" for phrase in phrases], marks(len(phrases) + 1)[:-1]
        words = shown if self.things in ("pictures", "both") else named
        if self.things in ("pictures", "phrases"):
            return words
        said = shown if self.things == "both" else ["the thing"] * len(phrases)
        return [
            f"{said[i]} at {boxes_to_text(boxes[[i]])}" if there[i] else words[i] for i in range(len(words))
        ]


def _word(name: str, words: Mapping[str, str]) -> str:
    if name not in words:
        raise DataError(f"field goal speaks of {name!r}, which is none of the {len(words)} names")
    return words[name]
