"""What a trajectory of VIMA holds, as raw fields: its goal, what that speaks of, the scene, and what is done."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from data_tasks.sources.episodes import Pictures
from data_tasks.sources.stored import Context, Make, Record
from unified_io.api.actions import TABLE
from unified_io.errors import DataError
from unified_io.preprocess import image_ops

CAMERA = "top"
_MOVES = {"suction": ("pick from", "place to"), "spatula": ("push from", "push to")}


def assets(record: Record) -> dict[str, Any]:
    """Returns what the goal of a trajectory speaks of, each once, in the order of the goal."""
    said, known = record["trajectory"]["prompt"], record["trajectory"]["prompt_assets"]
    places = {name: said.find(f"{{{name}}}") for name in known}
    return {name: known[name] for name in sorted(known, key=places.__getitem__) if places[name] >= 0}


def looks(asset: Record) -> str:
    """Returns what an asset looks like, in words; a scene of several things by all of them."""
    things = asset["segm"]["obj_info"]
    things = things if isinstance(things, list) else [things]
    words = (f"{one.get('obj_color', '')} {one['obj_name']}".replace("_", " ").strip() for one in things)
    return " and ".join(words)


def _pixels(asset: Record, masked: bool) -> Float[np.ndarray, "h w 3"]:
    """The picture of an asset, black behind the thing where it is masked."""
    whole: UInt8[np.ndarray, "h w 3"] = np.asarray(asset["rgb"][CAMERA], np.uint8).transpose(1, 2, 0)
    things = asset["segm"]["obj_info"]
    if not masked or isinstance(things, list):
        return image_ops.read(whole)
    thing = np.asarray(asset["segm"][CAMERA]) == things["obj_id"]
    return image_ops.read(np.where(thing[:, :, None], whole, 0).astype(np.uint8))


def shown(masked: bool) -> Make:
    """Returns what reads the pictures of the assets and, last, that of the scene before anything is done."""

    def make(record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
        (first,) = Pictures("first")(record | {"first": record[f"rgb_{CAMERA}"][:1]}, context)
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
    numbers = np.asarray(record["obs"]["segm"][CAMERA][0])
    things = record["trajectory"]["obj_id_to_info"].items()
    return [
        (f"{thing['texture_name']} {thing['obj_name']}".replace("_", " "), _box(numbers == int(key)))
        for key, thing in things
    ]


def boxes(record: Record, context: Context) -> list[list[float]]:
    """Returns where each asset is in the scene; no area where nothing there looks like it."""
    there = dict(reversed(_scene(record)))
    return [there.get(looks(asset), [0.0] * 4) for asset in assets(record).values()]


def _turn(quaternion: list[float]) -> float:
    """The rotation about the axis that stands on the table, in radians within one turn, of (x, y, z, w)."""
    x, y, z, w = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)) % (2 * np.pi))


def steps(record: Record, context: Context) -> list[Any]:
    """Returns what is done: for every step two poses of x and y in metres, cut to the table, and a rotation."""
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


def words_of_goal(record: Record, context: Context) -> str:
    """Returns the goal with every thing named by its looks."""
    said = record["trajectory"]["prompt"]
    for name, asset in assets(record).items():
        said = said.replace(f"the {{{name}}}", f"{{{name}}}").replace(f"{{{name}}}", f"the {looks(asset)}")
    return said


def found(record: Record, context: Context) -> list[list[float]]:
    """Returns the boxes of what can be seen in the scene."""
    return [box for _, box in _scene(record) if any(box)]


def called(record: Record, context: Context) -> list[str]:
    """Returns how each of `found` looks, in words."""
    return [words for words, box in _scene(record) if any(box)]
