"""What all formats share: where prompts come from, the paradigm prefix, and who the example is."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from unified_io.preprocess import prompts

PROMPTS = Path(__file__).resolve().parent.parent / "prompts"
# An action is written with text tokens, so its prefix is that of text.
PREFIXES = {"text": "[Text]", "action": "[Text]", "image": "[Image]", "audio": "[Audio]"}

Raw = dict[str, Any]
Fields = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Format:
    """Turns one raw example into the fields of the pipeline; a pure function of the example and a generator.

    Attributes:
      prompts: Name of the file of templates in `data_tasks/prompts`, without .txt.
    """

    prompts: str

    @property
    def reads(self) -> tuple[str, ...]:
        """The raw fields it needs."""
        raise NotImplementedError

    @property
    def writes(self) -> tuple[str, ...]:
        """The fields it may give; what is left out of one example is blank."""
        raise NotImplementedError

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        """Makes the fields of one example."""
        raise NotImplementedError

    def prompt(self, output: str, rng: np.random.Generator, paradigm: str = "S", **content: str) -> str:
        """Draws a template, fills it and puts the prefix in front: "[Image] [S] draw the digit seven".

        Args:
          output: The modality asked for.
          rng: Draws the template.
          paradigm: "S" is given this, make that; "R" is restore what is hidden.
          **content: What goes into the slots.
        """
        template = prompts.choose(prompts.read_templates(PROMPTS / f"{self.prompts}.txt"), rng)
        return f"{PREFIXES[output]} [{paradigm}] {prompts.fill(template, content)}"


ABOUT = ("meta/id", "meta/labels")


def about(raw: Raw) -> Fields:
    """Who the example is and what is true of it, for errors and metrics."""
    return {"meta/id": raw["id"], "meta/labels": raw["label"]}
