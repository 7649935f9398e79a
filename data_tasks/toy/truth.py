"""What is true of a state and its picture, in numbers: boxes, masks, joints, cuboids, flow, relations.

Knows no words for things, only the predicates of relations.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from data_tasks.toy import camera as cameras
from data_tasks.toy import figure
from data_tasks.toy.render import PUPPET, Picture
from data_tasks.toy.scene import Camera, State, Thing

LEFT, RIGHT, FRONT, BEHIND, ON, UNDER = "left of", "right of", "in front of", "behind", "on", "under"
PREDICATES = (LEFT, RIGHT, FRONT, BEHIND, ON, UNDER)
INVERSE = {LEFT: RIGHT, RIGHT: LEFT, FRONT: BEHIND, BEHIND: FRONT, ON: UNDER, UNDER: ON}

_APART, _CLEAR = 0.2, 2.0  # metres, and how much further along one axis than along the other
_LEAST = 4  # pixels that a thing must have to have a box


def owners(state: State, ids: Int[np.ndarray, "h w"]) -> list[int]:
    """Returns the numbers of the things that can be seen."""
    counts = np.bincount(ids.ravel(), minlength=len(state.things) + 1)
    return [number for number in state.present if counts[number + 1] >= _LEAST]


def masks(ids: Int[np.ndarray, "h w"], of: Sequence[int]) -> Bool[np.ndarray, "n h w"]:
    """Returns where each of these owners of pixels is seen."""
    return ids[None] == np.asarray(of, ids.dtype).reshape(-1, 1, 1)


def boxes(found: Bool[np.ndarray, "n h w"]) -> Float[np.ndarray, "n 4"]:
    """Returns the smallest boxes (y1, x1, y2, x2) in [0, 1] around masks that are not empty."""
    sides = []
    for axis in (2, 1):
        along = found.any(axis=axis)
        length = along.shape[1]
        first, last = along.argmax(axis=1), length - along[:, ::-1].argmax(axis=1)
        sides.append((first / length, last / length))
    (top, bottom), (left, right) = sides
    return np.stack([top, left, bottom, right], axis=1).astype(np.float32)


def keypoints(state: State, picture: Picture) -> Float[np.ndarray, "p 17 3"]:
    """Returns (y, x, visible) of the 17 COCO parts of every puppet, (y, x) in [0, 1] of the picture.

    A part is visible (1) where the picture shows the puppet at the part's place, and no deeper below the surface than
    the part lies in its limb; a hidden part is 0, 0, 0.
    """
    size = picture.depth.shape[0]
    found = np.zeros((len(state.puppets), 17, 3), np.float32)
    for number, puppet in enumerate(state.puppets):
        places, depth = cameras.project(state.camera, figure.joints(puppet))
        inside = ((places >= 0) & (places < 1)).all(axis=1)
        rows, columns = np.clip((places * size).astype(int), 0, size - 1).T
        at = picture.ids[rows, columns] == PUPPET + number
        near = depth - picture.depth[rows, columns] <= figure.depths(puppet) + 0.02
        seen = inside & at & near
        found[number, seen, :2], found[number, seen, 2] = places[seen], 1.0
    return found


def cuboid(thing: Thing, camera: Camera) -> dict[str, Any]:
    """Returns the box of a thing in the camera's frame, as `unified_io.evaluation.cuboids` has it.

    Its y axis points down. Of the yaws that give the same box the one nearest to facing the camera counts, so that it
    can be told from the picture; a round thing faces the camera.
    """
    quarter = math.pi / 2
    turned = (thing.yaw - camera.phi + quarter / 2) % quarter - quarter / 2
    yaw = camera.phi + (turned if thing.shape in ("cube", "pyramid") else 0.0)
    c, s = math.cos(yaw), math.sin(yaw)
    axes = np.array([[c, s, 0.0], [0.0, 0.0, -1.0], [-s, c, 0.0]])
    return {
        "center": cameras.to_camera(camera, np.array(thing.centre)).tolist(),
        "dims": [thing.width, thing.size, thing.width],
        "rotation": (cameras.rotation(camera) @ axes.T).tolist(),
    }


def relation(state: State, subject: int, object: int) -> str | None:
    """Returns how one thing stands to another as the camera sees it, where that is beyond doubt, else nothing.

    Left and right, in front and behind are told apart on the floor: at least 20 cm, and twice as far along the one as
    along the other.
    """
    first, second = state.things[subject], state.things[object]
    if math.dist(first.position[:2], second.position[:2]) < 1e-6:
        return ON if first.position[2] > second.position[2] else UNDER
    if first.position[2] or second.position[2]:
        return None  # what stands on a thing is told by that thing
    right, away = along(state.camera, first, second)
    if abs(right) >= max(_APART, _CLEAR * abs(away)):
        return RIGHT if right > 0 else LEFT
    if abs(away) >= max(_APART, _CLEAR * abs(right)):
        return BEHIND if away > 0 else FRONT
    return None


def along(camera: Camera, first: Thing, second: Thing) -> tuple[float, float]:
    """Returns how far the first stands to the right of the second, and further from the camera, metres on the floor."""
    step = np.subtract(first.position[:2], second.position[:2])
    right, away = directions(camera)
    return float(step @ right), float(step @ away)


def directions(camera: Camera) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Returns the directions on the floor that the camera sees to the right, and away from it."""
    c, s = math.cos(camera.phi), math.sin(camera.phi)
    return np.array([-s, c]), np.array([-c, -s])


def relations(state: State, seen: Sequence[int]) -> list[list[Any]]:
    """Returns [subject, predicate, object] of all pairs in clear relation; numbers count the things in `seen`."""
    found = []
    for i, first in enumerate(seen):
        for j, second in enumerate(seen):
            if i != j and (predicate := relation(state, first, second)):
                found.append([i, predicate, j])
    return found


def flow(first: State, picture: Picture, second: State) -> Float[np.ndarray, "h w 2"]:
    """Returns how many pixels (to the right, down) every point of a picture moves until a second state.

    Every point moves with the thing it belongs to; the camera may move too. A thing that vanishes stays in place.
    """
    points = picture.points.astype(np.float64)
    for number, (before, after) in enumerate(zip(first.things, second.things, strict=True)):
        mine = picture.ids == number + 1
        c, s = math.cos(after.yaw - before.yaw), math.sin(after.yaw - before.yaw)
        turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        points[mine] = (points[mine] - before.position) @ turn + after.position
    size = picture.depth.shape[0]
    here, _ = cameras.project(first.camera, picture.points)
    there, _ = cameras.project(second.camera, points)
    return ((there - here)[..., ::-1] * size).astype(np.float32)
