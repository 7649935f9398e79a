"""Format 23: what to do next, in words or numbers, or all that is to be done."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.caption import tidy
from data_tasks.formats.command import NUMBERS, PLACE, Command, turned
from data_tasks.formats.frames import marks
from data_tasks.formats.medium import seen, told
from data_tasks.formats.program import PLAN, read_program, write_program
from data_tasks.formats.track import EARLIER
from unified_io.errors import ConfigError, DataError, unknown
from unified_io.evaluation.metric import Metric
from unified_io.evaluation.text import EXACT

_METRICS = {"words": EXACT, "numbers": NUMBERS, "program": PLAN}


@dataclasses.dataclass(frozen=True)
class Act(Format):
    """Says what to do, given what is seen and the goal, which stands in the slot {goal}.

    The last of `images` is the current one, and the action of its place in `actions` is the target. Earlier ones, and
    `states` where the source has them, stand in the slot {history}. A program sees the first picture only. Pictures are
    shown whole: where things lie in them is where they lie in the world.

        {history}   <image_history_1> ( x z yaw ) left <image_input> ( x z yaw )
        words       forward
        numbers     one location token a number
        program     1: pick from ( x y r ) and place to ( x y r ) 2: ...   where steps are lists of poses
                    1: go to the door 2: ...                               where they are words

    Attributes:
      space: "words", "numbers" or "program".
      command: The ranges of the numbers; none for the other two.
      state: The ranges of a state.
      frames: Pictures that are shown at the most, the latest.
    """

    space: str = "words"
    command: Command | None = None
    state: Command = PLACE
    frames: int = EARLIER + 1

    def __post_init__(self):
        if self.space not in _METRICS:
            raise unknown("action space", self.space, _METRICS)
        if (self.space == "numbers") != (self.command is not None):
            raise ConfigError(
                f"actions in {self.space} with the command {self.command}; numbers need one, others none"
            )

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "goal", "actions"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("video",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (_METRICS[self.space],)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        frames, goal = raw["images"], goal_of(raw)
        if not frames:
            raise DataError("field images is empty; wanted what is seen, one frame at the least")
        if self.space == "program":
            shown, slots = frames[:1], {"goal": goal}
            truth, answer = list(raw["actions"]), write_program(raw["actions"])
        else:
            shown = frames[-self.frames :]
            slots = {"goal": goal, "history": history(raw, self.frames, self.command, self.state)}
            truth, answer = self._next(raw)
        about = judged(raw, truth, list(raw.get("classes") or []) if self.space == "words" else None)
        texts = {"text_inputs": self.ask(raw, rng, **slots), "text_targets": answer}
        return about | seen({**raw, "images": shown}, ("video",), rng, whole=True) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> Any:
        if self.space == "program":
            return read_program(answer)
        if self.command is None:
            return tidy(answer)
        return self.command.read_scaled(answer)

    def _next(self, raw: Raw) -> tuple[Any, str]:
        action = raw["actions"][len(raw["images"]) - 1]
        if self.command is not None:
            return self.command.scaled(action), self.command.write(action)
        return tidy(_words(action)), tidy(_words(action))


def goal_of(raw: Raw) -> str:
    """Returns the goal of an episode, tidy.

    Raises:
      DataError: It holds no words.
    """
    if not (goal := tidy(raw["goal"])):
        raise DataError("field goal holds no words; leave the example out")
    return goal


def history(raw: Raw, frames: int, command: Command | None = None, state: Command = PLACE) -> str:
    """Writes what was seen, where, and what was done, up to the current picture, whose action is left out.

    Args:
      raw: The raw example.
      frames: Pictures to write of, the latest.
      command: How actions that are numbers are written; None for words.
      state: How states are written, where there are any.

    Raises:
      DataError: There are fewer actions or states than pictures.
    """
    count, states = len(raw["images"]), raw.get("states")
    for name, given in (("actions", raw["actions"]), ("states", states)):
        if given is not None and len(given) < count:
            raise DataError(f"field {name} has {len(given)} for {count} images; want one each")
    words = []
    first = max(0, count - frames)
    for place, mark in zip(range(first, count), marks(count - first), strict=True):
        words.append(mark)
        if states is not None:
            words.append(f"( {state.write(turned(states[place], state))} )")
        if place < count - 1:
            words.append(spell(raw["actions"][place], command))
    return " ".join(words)


def spell(action: Any, command: Command | None) -> str:
    """Writes one action: numbers by a command, words as they are."""
    return tidy(_words(action)) if command is None else command.write(action)


def _words(action: Any) -> str:
    if not isinstance(action, str) or not action.strip():
        raise DataError(f"action {action!r} is no words; give the format a command to write numbers with")
    return action
