"""Format 17 once more: a picture made of a plan, in which every class has a colour that the prompt explains."""

import dataclasses

import numpy as np
from jaxtyping import Float

from data_tasks.formats.base import Fields, Raw, judged, look, window
from data_tasks.formats.boxes import plain
from data_tasks.formats.dense import covered, cut_masks, draw_seen
from data_tasks.formats.painted import Painted, target
from unified_io.preprocess.window import Window

COLOURS = {
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 0.6, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "yellow": (1.0, 1.0, 0.0),
    "cyan": (0.0, 1.0, 1.0),
    "pink": (1.0, 0.5, 1.0),
    "orange": (1.0, 0.5, 0.0),
    "white": (1.0, 1.0, 1.0),
}
"""Far enough from each other, and from the black of what no class covers, to be told apart."""


@dataclasses.dataclass(frozen=True)
class FromLegend(Painted):
    """Draws the picture of a plan made of its masks; the slot {legend} says "red: cat, blue: dog".

    Up to eight classes have a colour, those that cover most; of masks that overlap the smallest lies on top.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return "image", "masks", "names"

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        plan, legend = draw_plan(raw, through, rng)
        shown = look(raw["image"], through) | {"image_inputs": plan}
        prompt = self.ask(raw, rng, legend=legend)
        return judged(raw, legend) | shown | target(raw["image"], through) | {"text_inputs": prompt}


def draw_plan(raw: Raw, through: Window, rng: np.random.Generator) -> tuple[Float[np.ndarray, "s s 3"], str]:
    """Draws the masks of an example in a window, every class in a colour of its own, and writes which is which."""
    masks = cut_masks(raw, through)
    draw_seen(masks, rng)  # raises where nothing is to be seen
    areas = {name: int(covered(masks, raw["names"], [name]).sum()) for name in dict.fromkeys(raw["names"])}
    names = sorted((name for name in areas if areas[name]), key=lambda name: -areas[name])[: len(COLOURS)]
    colours = [[*COLOURS][i] for i in rng.permutation(len(COLOURS))[: len(names)]]
    colour_of = dict(zip(names, colours, strict=True))
    plan = np.zeros((through.side, through.side, 3), np.float32)
    for i in np.argsort(-masks.sum(axis=(1, 2)), kind="stable"):
        if raw["names"][i] in colour_of:
            plan[masks[i]] = COLOURS[colour_of[raw["names"][i]]]
    return plan, ", ".join(f"{colour_of[name]}: {plain(name)}" for name in names)
