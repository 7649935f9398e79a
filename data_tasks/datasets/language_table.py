"""Language-Table: a robot arm that pushes blocks, in a simulator and on a table; which task it is, and how it moves."""

import numpy as np

from data_tasks.formats.act import Act
from data_tasks.formats.act_augmented import NameGoal
from data_tasks.formats.command import Command
from data_tasks.registry import register
from data_tasks.sources.episodes import Numbers, Pictures, moments, spread
from data_tasks.sources.rlds import EpisodeFolder
from data_tasks.sources.stored import Context, Make, Record

_REACH = Command((-0.1, -0.1), (0.1, 0.1))
"""Metres in x and y that the tip moves in a step."""
_LETTERS = 512
_EVERY = 8


def _goal(record: Record, context: Context) -> str:
    """What was asked: its letters as numbers, filled up with zeros."""
    letters = np.asarray(record["steps"][0]["observation"]["instruction"])
    return bytes(letters[letters > 0].astype(np.uint8).tolist()).decode(errors="replace")


_FIELDS: dict[str, str | Make] = {
    "images": Pictures("steps/observation/rgb"),
    "goal": _goal,
    "actions": Numbers("steps/action", _REACH.low, _REACH.high),
}


def _episode(goal: str) -> Record:
    letters = np.zeros(_LETTERS, np.int32)
    letters[: len(goal)] = np.frombuffer(goal.encode(), np.uint8)
    steps = [
        {
            "observation": {
                "rgb": np.full((18, 32, 3), 20 * place, np.uint8),
                "instruction": letters,
                "effector_translation": np.array([0.3, 0.01 * place], np.float32),
            },
            "action": np.array([0.01, -0.02], np.float32),
        }
        for place in range(10)
    ]
    return {"episode_id": goal[:4], "steps": steps}


for _name, _size in (("language_table_sim", 181_020), ("language_table", 442_226)):
    _about = {
        "dataset": "Language-Table, simulated" if _name.endswith("sim") else "Language-Table, real",
        "stored": EpisodeFolder(_name),
        "fields": _FIELDS,
        "splits": {"train": "train:500-", "validation": "train:-500"},
        "obtain": f"gs://gresearch/robotics/{_name}/0.0.1",
        "size": _size,
        "sample": [_episode("push the blue cube to the red star"), _episode("part the two yellow blocks")],
    }
    register(
        f"{_name}_act",
        group="action_prediction",
        form=Act("act_numbers", "numbers", _REACH),
        each=moments(_EVERY),
        **_about,
    )
    register(f"{_name}_caption", group="embodied_qa", form=NameGoal("name_goal"), each=spread, **_about)
