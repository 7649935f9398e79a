"""VIMA: a robot arm over a table, whose goals are words and pictures; six ways to plan, the end, what lies there."""

from typing import Any

import numpy as np

from data_tasks import made_up
from data_tasks.datasets.vima_scene import (
    CAMERA,
    assets,
    boxes,
    called,
    found,
    looks,
    shown,
    steps,
    words_of_goal,
)
from data_tasks.formats.act_augmented import GoalImage
from data_tasks.formats.act_prompted import PromptedPlan
from data_tasks.formats.boxes import FindBoxes
from data_tasks.registry import register
from data_tasks.sources.episodes import Pictures
from data_tasks.sources.stored import Make, Record
from data_tasks.sources.vima import VimaFolders

_BLOCK, _PAN = (
    {"obj_id": 5, "obj_name": "block", "obj_color": "red"},
    {"obj_id": 6, "obj_name": "pan", "obj_color": "wooden"},
)


def _asset(thing: Record) -> Record:
    drawn = np.zeros((8, 8), int)
    drawn[2:6, 2:6] = thing["obj_id"]
    picture = np.where(drawn > 0, 200, 90)
    return {
        "rgb": {CAMERA: [picture.tolist()] * 3},
        "segm": {CAMERA: drawn.tolist(), "obj_info": thing},
        "placeholder_type": "object",
    }


def _trajectory(number: int, goal: str) -> Record:
    seen = np.zeros((24, 32), int)
    seen[4:10, 6:14], seen[12:22, 16:30] = 2, 3
    flat, turned = [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.7071, 0.7071]
    return {
        "id": f"{number:06d}",
        "rgb_top": [made_up.picture(f"table {number} {step}") for step in (0, 1)],
        "obs": {"segm": {CAMERA: [seen.tolist()]}},
        "action": {
            "pose0_position": [[0.4, -0.1, 0.0]],
            "pose0_rotation": [flat],
            "pose1_position": [[0.6, 0.3, 0.0]],
            "pose1_rotation": [turned],
        },
        "trajectory": {
            "prompt": goal,
            "prompt_assets": {"base_obj": _asset(_PAN), "dragged_obj": _asset(_BLOCK)},
            "end_effector_type": "suction",
            "obj_id_to_info": {
                "2": {"obj_name": "block", "texture_name": "red"},
                "3": {"obj_name": "pan", "texture_name": "wooden"},
            },
        },
    }


_ABOUT: dict[str, Any] = {
    "dataset": "VIMA",
    "stored": VimaFolders("vima"),
    "splits": {"train": "train:2000-", "validation": "train:-2000"},
    "obtain": "Hugging Face VIMA/VIMA-Data: its trajectories in train; what the pickles hold as JSON of the same names",
    "size": 650_000,
    "sample": [
        _trajectory(0, "Put the {dragged_obj} into the {base_obj}."),
        _trajectory(1, "Move {dragged_obj} onto {base_obj}."),
    ],
}


def _fields(masked: bool) -> dict[str, str | Make]:
    return {
        "images": shown(masked),
        "goal": "trajectory/prompt",
        "actions": steps,
        "names": lambda record, context: list(assets(record)),
        "phrases": lambda record, context: [looks(asset) for asset in assets(record).values()],
        "boxes": boxes,
    }


for _name, _masked, _form in (
    ("vima", True, PromptedPlan("act_program")),
    ("vima_unmasked", False, PromptedPlan("act_program")),
    ("vima_text", False, PromptedPlan("act_program", things="phrases")),
    ("vima_box", False, PromptedPlan("act_program", things="boxes")),
    ("vima_find", False, PromptedPlan("act_find", find=True)),
    ("vima_box_masked", True, PromptedPlan("act_program", things="both")),
):
    register(_name, group="action_prediction", fields=_fields(_masked), form=_form, **_ABOUT)


def _ends(record: Record) -> list[Record]:
    files = record[f"rgb_{CAMERA}"]
    return [record | {"files": [files[0], files[-1]]}] if len(files) > 1 else []


register(
    "vima_goal",
    group="goal_image",
    fields={"images": Pictures("files"), "goal": words_of_goal},
    form=GoalImage("goal_image"),
    each=_ends,
    **_ABOUT,
)


register(
    "vima_detection",
    group="embodied_qa",
    fields={
        "image": lambda record, context: Pictures("files")(record, context)[0],
        "boxes": found,
        "names": called,
    },
    form=FindBoxes("boxes_none", query="none"),
    each=_ends,
    **_ABOUT,
)
