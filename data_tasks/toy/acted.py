"""Records of what is done in the toy world: walks through rooms, programmes of the arm, and one reach for a thing.

Pure functions of (split, index). Pictures are shown whole; actions are in the words and units of `formats.act`.
"""

import math

import numpy as np

from data_tasks.sources.stored import Record
from data_tasks.toy import agent, agent_view, arm, arm_draw, arm_plan, arm_view, reach
from data_tasks.toy.splits import generator

ARM_SPLITS = {
    "train": "train",
    "validation": "placement",
    "novel_pair": "combination",
    "novel_shape": "object",
}
"""Our split -> level of the arm; the level of new jobs is the test."""
_SHOWN = 5  # pictures of a walk, the current one included


def walked(name: str, index: int) -> Record:
    """Returns one step of the shortest way to a thing, seen from above."""
    return _walk(name, index, "above")


def walked_by_eye(name: str, index: int) -> Record:
    """Returns one step of the shortest way to a thing, as the agent's own eye sees it."""
    return _walk(name, index, "eye")


def programmed(name: str, index: int) -> Record:
    """Returns a table, a job, and the moves that do it."""
    table = arm_draw.draw(ARM_SPLITS.get(name, "task"), index)
    return {
        "images": [arm_view.above(table)],
        "goal": table.goal,
        "actions": arm_plan.steps(arm.expert(table)),
        "world": arm.to_world(table),
    }


def reached(name: str, index: int) -> Record:
    """Returns a table, a thing to grip, and the seven numbers of the hand that grips it."""
    table = reach.draw(name, index)
    return {
        "images": [arm_view.above(table)],
        "goal": table.goal,
        "actions": [reach.expert(table)],
        "world": arm.to_world(table),
    }


def _walk(name: str, index: int, view: str) -> Record:
    room = agent.draw(name, index)
    plan = agent.expert(room)
    # The last step is as likely as any other, so that one can not stop by counting.
    step = int(generator(name, index, "step").integers(len(plan)))
    poses = agent.poses(room, plan)[max(0, step + 1 - _SHOWN) : step + 1]
    picture = {"above": agent_view.above, "eye": agent_view.eye}[view]
    return {
        "images": [picture(room, pose) for pose in poses],
        "goal": room.goal,
        "actions": plan[step + 1 - len(poses) : step + 1],
        "states": np.array(
            [(column, row, heading * math.pi / 2) for row, column, heading in poses], np.float32
        ),
        "world": {"room": agent.to_world(room), "pose": poses[-1]},
    }
