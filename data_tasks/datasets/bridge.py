"""BridgeData V2: a robot arm at a toy kitchen; how it moves, what its task is, how the end looks."""

from typing import Any

import numpy as np

from data_tasks.formats.act import Act
from data_tasks.formats.act_augmented import GoalImage, NameGoal
from data_tasks.formats.command import Command
from data_tasks.registry import register
from data_tasks.sources.episodes import Numbers, Pictures, ends, moments, spread
from data_tasks.sources.rlds import EpisodeFolder
from data_tasks.sources.stored import Record

_REACH = Command((-0.05,) * 3 + (-0.25,) * 3 + (0.0,), (0.05,) * 3 + (0.25,) * 3 + (1.0,))
"""Metres in x, y and z, radians of roll, pitch and yaw in a step, and how open the gripper is; larger steps are cut."""


def _told(record: Record) -> bool:
    """Whether anybody said what the episode is about; a third of them are not told."""
    return bool(_goal(record, None))


def _goal(record: Record, context: Any) -> str:
    return record["steps"][0]["language_instruction"].strip()


def _episode(goal: str) -> Record:
    steps = [
        {
            "observation": {
                "image_0": np.full((24, 32, 3), 20 * place, np.uint8),
                "state": np.full(7, 0.1 * place, np.float32),
            },
            "action": np.array([0.01, -0.02, 0.0, 0.1, 0.0, -0.9, place % 2], np.float32),
            "language_instruction": goal,
        }
        for place in range(8)
    ]
    return {"episode_id": goal[:4], "steps": steps}


_ABOUT: dict[str, Any] = {
    "dataset": "BridgeData V2",
    "stored": EpisodeFolder("bridge"),
    "fields": {
        "images": Pictures("steps/observation/image_0"),
        "goal": _goal,
        "actions": Numbers("steps/action", _REACH.low, _REACH.high),
    },
    "splits": {"train": "train", "validation": "val"},
    "keep": _told,
    "obtain": "rail.eecs.berkeley.edu/datasets/bridge_release/data/tfds/bridge_dataset",
    "size": 53_192,
    "sample": [_episode("put the spoon into the pot"), _episode("close the drawer")],
}
register(
    "bridge_act",
    group="action_prediction",
    form=Act("act_numbers", "numbers", _REACH),
    each=moments(8),
    **_ABOUT,
)
register("bridge_goal", group="goal_image", form=GoalImage("goal_image"), each=ends, **_ABOUT)
register("bridge_caption", group="embodied_qa", form=NameGoal("name_goal"), each=spread, **_ABOUT)
