"""Questions about all of a picture."""

import dataclasses

import numpy as np

from data_tasks.formats.base import Fields, Raw
from data_tasks.formats.medium import seen
from data_tasks.formats.qa import Question


@dataclasses.dataclass(frozen=True)
class AskOfAll(Question):
    """A question whose answer needs all of a picture, such as how many: it is shown whole, in training too."""

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        return super().__call__(raw, rng) | seen({**raw, "training": False}, self.media, rng)
