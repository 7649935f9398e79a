"""Format 5: names or describes what is in one box of a picture."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.caption import tidy
from data_tasks.formats.choose import check_options, nearest
from data_tasks.formats.medium import read, seen, told
from unified_io.errors import DataError, unknown
from unified_io.evaluation.cider import CIDER
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.text import EXACT
from unified_io.structures import boxes_to_text

_READ = {"class": "names", "phrase": "phrases"}


@dataclasses.dataclass(frozen=True)
class RegionText(Format):
    """Says what is in a box, the slot {box} of the prompt; it is drawn from those that the window leaves.

    Attributes:
      of: "class": one word of the source, one of `classes` where these are mapped; "phrase": a description. All that
        the source says of that very box counts.
    """

    of: str = "class"

    def __post_init__(self):
        if self.of not in _READ:
            raise unknown("text of a region", self.of, _READ)

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("image",)), "boxes", _READ[self.of]

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (EXACT,) if self.of == "class" else (CIDER,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        field, through = _READ[self.of], window(raw, rng)
        texts = raw[field] if self.of == "class" else [tidy(phrase) for phrase in raw[field]]
        if len(texts) != len(raw["boxes"]):
            raise DataError(
                f"field {field} has {len(texts)} entries for {len(raw['boxes'])} boxes; want one each"
            )
        boxes, left = through.boxes(raw["boxes"])
        choice = [place for place in np.flatnonzero(left).tolist() if texts[place]]
        if not choice:
            raise DataError(f"no box of {len(boxes)} is left in the window and has words in field {field}")
        chosen = choice[rng.integers(len(choice))]
        same = (raw["boxes"] == raw["boxes"][chosen]).all(axis=1)
        truths = list(dict.fromkeys(texts[place] for place in choice if same[place]))
        options = raw.get("classes") if self.of == "class" else None
        if options is not None:
            check_options("classes", options, texts[chosen])
        prompt = self.ask(raw, rng, box=boxes_to_text(boxes[[chosen]]))
        words = {"text_inputs": prompt, "text_targets": texts[chosen]}
        return judged(raw, truths, options) | seen(raw, ("image",), rng, through) | words

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        options = self.options(example)
        return nearest(answer, options) if options else tidy(answer)
