"""Other questions about episodes: which task it is, what is reasonable, where an action leads, how the end looks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.act import goal_of, history, spell
from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.caption import tidy
from data_tasks.formats.command import NUMBERS, PLACE, Command, turned
from data_tasks.formats.medium import MEDIA, seen, told
from data_tasks.formats.painted import Painted, check_size, target
from data_tasks.formats.track import EARLIER
from unified_io.errors import DataError
from unified_io.evaluation.cider import CIDER
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.text import EXACT
from unified_io.preprocess.window import Window


@dataclasses.dataclass(frozen=True)
class NameGoal(Format):
    """Says which task a trajectory carries out, given its frames."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "goal"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("video",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return CIDER, EXACT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        goal = goal_of(raw)
        texts = {"text_inputs": self.ask(raw, rng), "text_targets": goal}
        return judged(raw, [goal]) | seen(raw, ("video",), rng) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> str:
        return tidy(answer)


@dataclasses.dataclass(frozen=True)
class Reasonable(Format):
    """Says yes or no: is an action the one to take now? With even odds it is that of the source, else another.

    The last of `images` is the current one; `classes` are all actions there are.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "goal", "actions", "classes"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("video",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (EXACT,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        if len(raw["actions"]) < len(raw["images"]):
            raise DataError(f"{len(raw['actions'])} actions for {len(raw['images'])} images; want one each")
        action = raw["actions"][len(raw["images"]) - 1]
        others = [other for other in raw["classes"] if other != action]
        if not others:
            raise DataError("field classes holds no action but the one that was taken")
        answer = "yes" if rng.random() < 0.5 else "no"
        asked = action if answer == "yes" else others[rng.integers(len(others))]
        prompt = self.ask(raw, rng, goal=goal_of(raw), action=tidy(asked))
        texts = {"text_inputs": prompt, "text_targets": answer}
        return judged(raw, answer, ["yes", "no"]) | seen(raw, ("video",), rng) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> str:
        return tidy(answer)


@dataclasses.dataclass(frozen=True)
class NextState(Format):
    """Says where an action leads: position and heading as location tokens. Slots {history} and {action}.

    The last of `images` is the current one; `states` has one state more than there are images.

    Attributes:
      command: How actions that are numbers are written; None for words.
      state: The ranges of a state.
    """

    command: Command | None = None
    state: Command = PLACE

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "actions", "states"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("video",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (NUMBERS,)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        frames = raw["images"][-EARLIER - 1 :]
        past, now = history(raw, EARLIER + 1, self.command, self.state), len(raw["images"])
        if len(raw["states"]) <= now:
            raise DataError(
                f"field states has {len(raw['states'])} for {now} images; want one more than images"
            )
        where = turned(raw["states"][now], self.state)
        action = spell(raw["actions"][now - 1], self.command)
        prompt = self.ask(raw, rng, history=past, action=action)
        texts = {"text_inputs": prompt, "text_targets": self.state.write(where)}
        return judged(raw, self.state.scaled(where)) | seen({"images": frames}, ("video",), rng) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> Any:
        return self.state.read_scaled(answer)


@dataclasses.dataclass(frozen=True)
class GoalImage(Painted):
    """Draws the last picture of an episode from the first one and the goal."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "goal"

    @property
    def shows(self) -> tuple[str, ...]:
        return MEDIA["image"].writes

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        if len(raw["images"]) < 2:
            raise DataError("field images holds fewer than 2 frames; give the first and the last")
        first, last = raw["images"][0], raw["images"][-1]
        check_size("images[-1]", last.shape, first.shape, "images[0]")
        through, goal = Window.around(first.shape[:2]), goal_of(raw)
        return (
            judged(raw, goal)
            | seen({"image": first}, ("image",), rng, through)
            | target(last, through)
            | {"text_inputs": self.ask(raw, rng, goal=goal)}
        )
