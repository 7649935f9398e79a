"""What all formats share: prompts and their prefix, how a picture is framed, and how an answer is read and judged."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_tasks.sources.record import unpack
from unified_io.data.denoised import Denoised
from unified_io.data.pipeline import numpy_map
from unified_io.evaluation.metric import Metric
from unified_io.preprocess import prompts
from unified_io.preprocess.window import Window

PROMPTS = Path(__file__).resolve().parent.parent / "prompts"
# An action is written with text tokens, so its prefix is that of text.
PREFIXES = {"text": "[Text]", "action": "[Text]", "image": "[Image]", "audio": "[Audio]"}

Raw = dict[str, Any]
Fields = dict[str, Any]

ABOUT = ("meta/id", "meta/labels")
JUDGED = ("meta/id", "meta/labels", "meta/truth", "meta/options")


@dataclasses.dataclass(frozen=True)
class Format:
    """Turns one raw example into the fields of the pipeline, and an answer back into what a metric compares.

    A pure function of the example and a generator: the same seed gives the same fields. Raw fields are those of
    `data_tasks.sources.record.CANONICAL`.

    Attributes:
      prompts: Name of the file of templates in `data_tasks/prompts`, without .txt.
    """

    prompts: str

    @property
    def output(self) -> str:
        """The modality it asks for: "text", "image", "audio" or "action"."""
        targets = [key for key in self.writes if key.endswith("_targets")]
        return targets[0].removesuffix("_targets")

    @property
    def reads(self) -> tuple[str, ...]:
        """The raw fields it needs."""
        raise NotImplementedError

    @property
    def writes(self) -> tuple[str, ...]:
        """The fields it may give; what is left out of one example is blank."""
        raise NotImplementedError

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What predictions are judged by, the one to quote first."""
        return ()

    @property
    def decoding(self) -> Mapping[str, Any]:
        """How it is answered unless the user says otherwise: options of `UnifiedIO.generate_fields`."""
        return {}

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        """Makes the fields of one example.

        Raises:
          DataError: The example can not be used; says why. It is left out, by name.
        """
        raise NotImplementedError

    def parse(self, answer: Any, example: Mapping[str, Any]) -> Any:
        """Turns an answer (text, pixels [h, w, 3], log-mel or pen points) into what the metrics compare; never fails.

        Args:
          answer: What the model made, as a raw field of `output`.
          example: The fields of the example, targets included.
        """
        return answer

    def truth(self, example: Mapping[str, Any]) -> Any:
        """Returns what is true of an example, in the form of `parse`."""
        return json.loads(example["meta/truth"])

    def options(self, example: Mapping[str, Any]) -> list[str]:
        """Returns what the answer is to be chosen from, by likelihood; nothing where it is free."""
        return json.loads(example.get("meta/options") or "[]")

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

    def ask(self, raw: Raw, rng: np.random.Generator, output: str | None = None, **content: str) -> str:
        """Draws a prompt for a raw example: of the wordings for training, or of those held out for evaluation."""
        wordings = prompts.read_wordings(PROMPTS / f"{self.prompts}.txt")
        templates = (
            wordings.held_out if raw.get("reworded", not raw.get("training", True)) else wordings.training
        )
        return (
            f"{PREFIXES[output or self.output]} [S] {prompts.fill(prompts.choose(templates, rng), content)}"
        )


def window(raw: Raw, rng: np.random.Generator, image: np.ndarray | None = None) -> Window:
    """Frames the picture of an example: drawn in training, all of it in evaluation."""
    source = (raw["image"] if image is None else image).shape[:2]
    return Window.draw(source, rng) if raw.get("training", True) else Window.around(source)


def look(pixels: np.ndarray, through: Window) -> Fields:
    """A picture as the input to look at, and which of its pixels are real."""
    return {"image_inputs": through.cut(pixels), "image_input_masks": through.real}


def about(raw: Raw) -> Fields:
    """Who the example is and what is true of it, for errors and metrics."""
    return {"meta/id": raw["id"], "meta/labels": raw.get("label")}


def judged(raw: Raw, truth: Any, options: list[str] | None = None) -> Fields:
    """Who the example is, what is true of it in JSON values or arrays, and what to choose from."""
    known = {"meta/id": raw["id"], "meta/truth": json.dumps(truth, default=_plain)}
    return known | ({"meta/options": json.dumps(options)} if options else {})


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(
        f"{type(value).__name__} is no JSON value; give arrays, numbers, texts, lists or dictionaries"
    )


def preprocessor(form: Format, name: str) -> Any:
    """Makes the seqio preprocessor of a format for the packed records of a source (`data_tasks.sources`)."""
    return numpy_map(_Unpacked(form), form.writes, name, files=("record",))


def unpacked(form: Denoised) -> Denoised:
    """Returns records for pre-training that are made of the packed records of a source."""
    return dataclasses.replace(form, record=_Unpacked(form.record), files=("record",))


@dataclasses.dataclass(frozen=True)
class _Unpacked:
    function: Callable[..., Any]

    def __call__(self, raw: Raw, *rng: np.random.Generator) -> Any:
        return self.function(unpack(raw["record"]), *rng)
