"""Formats whose answers are run: did the agent come nearer, did the arm do its job?"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from data_tasks.formats.act import Act
from data_tasks.formats.base import Fields, Raw
from data_tasks.toy import agent, arm, arm_plan, reach
from unified_io.evaluation.metric import Mean, Metric


def came_nearer(action: str, world: Mapping[str, Any]) -> float:
    """Runs one action: 1 if the way that is left got shorter, or the agent stopped where it should."""
    room, pose = agent.from_world(world["room"]), tuple(world["pose"])
    if action not in agent.ACTIONS:
        return 0.0
    if action == "stop":
        return float(room.reached(pose))
    before, after = (agent.steps_left(room, one) for one in (pose, room.after(pose, action)))
    return float(after < before)


def did_job(plan: list[Any], world: Mapping[str, Any]) -> float:
    """Runs a plan: 1 if the job is done and nothing else was moved."""
    return float(arm.run(arm.from_world(world), arm_plan.moves(plan)))


def gripped(numbers: Any, world: Mapping[str, Any]) -> float:
    """Moves the hand by numbers in [0, 1] of their ranges: 1 if it holds the thing."""
    if numbers is None:
        return 0.0
    low, high = np.array(reach.LOW), np.array(reach.HIGH)
    return float(reach.run(arm.from_world(world), (low + np.asarray(numbers) * (high - low)).tolist()))


SUCCESS = {
    "words": Mean("steps_nearer", each=came_nearer),
    "numbers": Mean("success", each=gripped),
    "program": Mean("success", each=did_job),
}


@dataclasses.dataclass(frozen=True)
class Run(Act):
    """An `Act` whose answer is run in the world that it was asked in; reads the raw field `world`."""

    @property
    def reads(self) -> tuple[str, ...]:
        return *super().reads, "world"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        judges = (("world", SUCCESS[self.space]), *(("truth", metric) for metric in super().metrics))
        return tuple(dataclasses.replace(metric, each=_Part(part, metric.each)) for part, metric in judges)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        fields = super().__call__(raw, rng)
        truth = {"truth": json.loads(fields["meta/truth"]), "world": raw["world"]}
        return fields | {"meta/truth": json.dumps(truth)}


@dataclasses.dataclass(frozen=True)
class _Part:
    """Judges by one part of the truth."""

    part: str
    each: Callable[[Any, Any], float]

    def __call__(self, prediction: Any, truth: Mapping[str, Any]) -> float:
        return self.each(prediction, truth[self.part])
