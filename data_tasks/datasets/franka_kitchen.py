"""Franka Kitchen: an arm of seven joints in a simulated kitchen; how it moves, what its task is, how the end looks."""

from typing import Any

import numpy as np

from data_tasks.formats.act import Act
from data_tasks.formats.act_augmented import GoalImage, NameGoal
from data_tasks.formats.command import Command
from data_tasks.registry import register
from data_tasks.sources.episodes import Numbers, Pictures, ends, moments, spread
from data_tasks.sources.rlds import EpisodeFolder
from data_tasks.sources.stored import Record

_REACH = Command((-1.0,) * 9, (1.0,) * 9)
"""Speeds of seven joints and two fingers, as parts of the greatest."""


def _episode(goal: str) -> Record:
    steps = [
        {
            "observation": {"image": np.full((24, 24, 3), 20 * place, np.uint8)},
            "action": np.linspace(-1.0, 1.0, 9).astype(np.float32),
        }
        for place in range(9)
    ]
    return {"goal": goal, "steps": steps}


_ABOUT: dict[str, Any] = {
    "dataset": "Franka Kitchen",
    "stored": EpisodeFolder("franka_kitchen"),
    "fields": {
        "images": Pictures("steps/observation/image"),
        "goal": "goal",
        "actions": Numbers("steps/action", _REACH.low, _REACH.high),
    },
    "splits": {"train": "train:50-", "validation": "train:-50"},
    "obtain": "D4RL's kitchen, which has states only: draw each with its simulator, name the goal by the tasks done, "
    "and write the episodes as RLDS with EpisodeFolder.write",
    "size": 550,
    "sample": [_episode("open the microwave, then the cabinet"), _episode("turn on the light")],
}
register(
    "franka_act",
    group="action_prediction",
    form=Act("act_numbers", "numbers", _REACH),
    each=moments(8),
    **_ABOUT,
)
register("franka_goal", group="goal_image", form=GoalImage("goal_image"), each=ends, **_ABOUT)
register("franka_caption", group="embodied_qa", form=NameGoal("name_goal"), each=spread, **_ABOUT)
