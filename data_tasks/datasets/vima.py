"""VIMA: a robot arm over a table, whose goals are words and pictures; six ways to plan, the end, what lies there."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from data_tasks import made_up
from data_tasks.formats.act_augmented import GoalImage
from data_tasks.formats.act_prompted import PromptedPlan
from data_tasks.formats.boxes import FindBoxes
from data_tasks.registry import register
from data_tasks.sources.episodes import Pictures
from data_tasks.sources.stored import Context, Make, Record
from data_tasks.sources.vima import VimaFolders
from unified_io.api.actions import TABLE
from unified_io.errors import DataError
from unified_io.preprocess import image_ops

_CAMERA = "top"
_MOVES = {"suction": ("pick from", "place to"), "spatula": ("push from", "push to")}


def assets(record: Record) -> dict[str, Any]:
    """Returns what the goal of a trajectory speaks of, each once, in the order of the goal."""
    said, known = record["trajectory"]["prompt"], record["trajectory"]["prompt_assets"]
    places = {name: said.find(f"{{{name}}}") for name in known}
    return {name: known[name] for name in sorted(known, key=places.__getitem__) if places[name] >= 0}


def _looks(asset: Record) -> str:
    """What an asset looks like, in words; a scene of several things by all of them."""
    things = asset["segm"]["obj_info"]
    things = things if isinstance(things, list) else [things]
    words = (f"{one.get('obj_color', '')} {one['obj_name']}".replace("_", " ").strip() for one in things)
    return " and ".join(words)


def _pixels(asset: Record, masked: bool) -> Float[np.ndarray, "h w 3"]:
    """The picture of an asset, black behind the thing where it is masked."""
    whole: UInt8[np.ndarray, "h w 3"] = np.asarray(asset["rgb"][_CAMERA], np.uint8).transpose(1, 2, 0)
    things = asset["segm"]["obj_info"]
    if not masked or isinstance(things, list):
        return image_ops.read(whole)
    thing = np.asarray(asset["segm"][_CAMERA]) == things["obj_id"]
    return image_ops.read(np.where(thing[:, :, None], whole, 0).astype(np.uint8))


def _shown(masked: bool) -> Make:
    def make(record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
        (first,) = Pictures("first")(record | {"first": record[f"rgb_{_CAMERA}"][:1]}, context)
        return [*(_pixels(asset, masked) for asset in assets(record).values()), first]

    return make


def _box(inside: Bool[np.ndarray, "h w"]) -> list[float]:
    """The box of a mask; no area where the thing is not in the scene, or is hidden."""
    if not inside.any():
        return [0.0] * 4
    sides = [np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0)]
    (top, bottom), (left, right) = (
        (side[0] / n, (side[-1] + 1) / n) for side, n in zip(sides, inside.shape, strict=True)
    )
    return [float(top), float(left), float(bottom), float(right)]


def _scene(record: Record) -> list[tuple[str, list[float]]]:
    """Every thing of the scene before anything is done: how it looks, and where it is."""
    numbers = np.asarray(record["obs"]["segm"][_CAMERA][0])
    found = []
    for key, thing in record["trajectory"]["obj_id_to_info"].items():
        words = f"{thing['texture_name']} {thing['obj_name']}".replace("_", " ")
        found.append((words, _box(numbers == int(key))))
    return found


def _boxes(record: Record, context: Context) -> list[list[float]]:
    there = dict(reversed(_scene(record)))
    return [there.get(_looks(asset), [0.0] * 4) for asset in assets(record).values()]


def _turn(quaternion: list[float]) -> float:
    """The rotation about the axis that stands on the table, in radians within one turn, of (x, y, z, w)."""
    x, y, z, w = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)) % (2 * np.pi))


def _steps(record: Record, context: Context) -> list[Any]:
    """What is done: for every step two poses of x and y in metres, cut to the table, and a rotation."""
    end = record["trajectory"]["end_effector_type"]
    if end not in _MOVES:
        raise DataError(f"the end effector {end!r}; want one of {', '.join(_MOVES)}")
    sides = [[record["action"][f"pose{n}_{part}"] for part in ("position", "rotation")] for n in (0, 1)]
    low, high = np.array(TABLE).T
    return [
        [
            [words, *np.clip(np.asarray(places[step])[:2], low, high).tolist(), _turn(turns[step])]
            for words, (places, turns) in zip(_MOVES[end], sides, strict=True)
        ]
        for step in range(len(sides[0][0]))
    ]


def _words(record: Record, context: Context) -> str:
    """The goal with every thing named by its looks."""
    said = record["trajectory"]["prompt"]
    for name, asset in assets(record).items():
        said = said.replace(f"the {{{name}}}", f"{{{name}}}").replace(f"{{{name}}}", f"the {_looks(asset)}")
    return said


_BLOCK, _PAN = (
    {"obj_id": 5, "obj_name": "block", "obj_color": "red"},
    {"obj_id": 6, "obj_name": "pan", "obj_color": "wooden"},
)


def _asset(thing: Record) -> Record:
    drawn = np.zeros((8, 8), int)
    drawn[2:6, 2:6] = thing["obj_id"]
    picture = np.where(drawn > 0, 200, 90)
    return {
        "rgb": {_CAMERA: [picture.tolist()] * 3},
        "segm": {_CAMERA: drawn.tolist(), "obj_info": thing},
        "placeholder_type": "object",
    }


def _trajectory(number: int, goal: str) -> Record:
    seen = np.zeros((24, 32), int)
    seen[4:10, 6:14], seen[12:22, 16:30] = 2, 3
    flat, turned = [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.7071, 0.7071]
    return {
        "id": f"{number:06d}",
        "rgb_top": [made_up.picture(f"table {number} {step}") for step in (0, 1)],
        "obs": {"segm": {_CAMERA: [seen.tolist()]}},
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
        "images": _shown(masked),
        "goal": "trajectory/prompt",
        "actions": _steps,
        "names": lambda record, context: list(assets(record)),
        "phrases": lambda record, context: [_looks(asset) for asset in assets(record).values()],
        "boxes": _boxes,
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
    files = record[f"rgb_{_CAMERA}"]
    return [record | {"files": [files[0], files[-1]]}] if len(files) > 1 else []


register(
    "vima_goal",
    group="goal_image",
    fields={"images": Pictures("files"), "goal": _words},
    form=GoalImage("goal_image"),
    each=_ends,
    **_ABOUT,
)


def _found(record: Record, context: Context) -> list[list[float]]:
    return [box for _, box in _scene(record) if any(box)]


def _called(record: Record, context: Context) -> list[str]:
    return [words for words, box in _scene(record) if any(box)]


register(
    "vima_detection",
    group="embodied_qa",
    fields={
        "image": lambda record, context: Pictures("files")(record, context)[0],
        "boxes": _found,
        "names": _called,
    },
    form=FindBoxes("boxes_none", query="none"),
    each=_ends,
    **_ABOUT,
)
