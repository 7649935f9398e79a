"""What to do next and where that leads, in one answer."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.formats.act import goal_of, history, spell
from data_tasks.formats.base import Fields, Format, Raw, judged
from data_tasks.formats.caption import tidy
from data_tasks.formats.command import NUMBERS, PLACE, Command, numbers_off, turned
from data_tasks.formats.medium import seen, told
from data_tasks.formats.track import EARLIER
from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean, Metric
from unified_io.evaluation.text import EXACT

ACTION = Mean(EXACT.name, each=lambda prediction, truth: EXACT.each(prediction["action"], truth["action"]))
LEADS = Mean(
    NUMBERS.name,
    best=NUMBERS.best,
    worst=NUMBERS.worst,
    each=lambda prediction, truth: numbers_off(prediction["state"], truth["state"]),
)


@dataclasses.dataclass(frozen=True)
class ActAndState(Format):
    """Says what to do, in words, and the state that follows: "forward ( x z yaw )". Slots as of `Act`.

    The last of `images` is the current one; `states` has one state more than there are images.

    Attributes:
      state: The ranges of a state.
    """

    state: Command = PLACE

    @property
    def reads(self) -> tuple[str, ...]:
        return "images", "goal", "actions", "states"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("video",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return ACTION, LEADS

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        now = len(raw["images"])
        past = history(raw, EARLIER + 1, None, self.state)
        if not now < len(raw["states"]):
            raise DataError(
                f"field states has {len(raw['states'])} for {now} images; want one more than images, one at the least"
            )
        where = turned(raw["states"][now], self.state)
        action = spell(raw["actions"][now - 1], None)
        truth = {"action": action, "state": self.state.scaled(where)}
        texts = {
            "text_inputs": self.ask(raw, rng, goal=goal_of(raw), history=past),
            "text_targets": f"{action} ( {self.state.write(where)} )",
        }
        return (
            judged(raw, truth)
            | seen({**raw, "images": raw["images"][-EARLIER - 1 :]}, ("video",), rng)
            | texts
        )

    def parse(self, answer: str, example: Mapping[str, Any]) -> dict[str, Any]:
        return {"action": tidy(answer.partition("(")[0]), "state": self.state.read_scaled(answer)}
