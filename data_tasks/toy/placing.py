"""Where things stand, and from where they are seen: with room between them, in view of the camera."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from data_tasks.toy.camera import project, rotation
from data_tasks.toy.render import BOARD, PUPPET, render
from data_tasks.toy.scene import Board, Camera, State, Thing

REACH = 0.7  # metres from the middle of the floor within which things stand
GAP = 0.05  # metres between things at the least
POLAR = math.radians(50.0), math.radians(85.0)
DISTANCE = 1.5, 2.2
"""The shell on which cameras stand: polar angles and metres."""

TURN = math.radians(40.0)
"""How far cameras of two views of a scene are turned from one another about the room, at the most; and a rug from the
first of them."""

_CHECKED = 32  # side of the picture in which it is checked that all is seen
_LEAST = 5  # pixels of it that each thing must have


def place(content: State, stacked: float, rng: np.random.Generator) -> State | None:
    """Draws a camera, and where all that a state holds stands; nothing where there is no room.

    Args:
      content: What to place; large things first, as they need the most room.
      stacked: How often a small thing stands on a larger one.
      rng: Draws.
    """
    camera = draw_camera(rng)
    state = dataclasses.replace(
        content, camera=camera, things=(), puppets=(), board=_hung(content.board, camera, rng)
    )
    for puppet in content.puppets:
        spot = _spot(state, 0.3 * puppet.height, rng)
        if spot is None:
            return None
        standing = dataclasses.replace(puppet, position=spot)
        state = dataclasses.replace(state, puppets=(*state.puppets, standing))
    places: dict[int, Thing] = {}
    for number in sorted(range(len(content.things)), key=lambda n: -content.things[n].size):
        thing = content.things[number]
        put = _stacked if rng.random() < stacked else _standing
        placed = put(state, thing, rng)
        if placed is None:
            return None
        places[number] = placed
        state = dataclasses.replace(state, things=(*state.things, placed))
    return dataclasses.replace(state, things=tuple(places[n] for n in range(len(places))))


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draws a camera on the shell."""
    return Camera(
        float(rng.uniform(*POLAR)), float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(*DISTANCE))
    )


def draw_camera_beside(camera: Camera, rng: np.random.Generator) -> Camera:
    """Draws a camera on the shell that sees much of what another sees."""
    turned = camera.phi + float(rng.uniform(-TURN, TURN))
    return dataclasses.replace(draw_camera(rng), phi=turned % (2 * math.pi))


def in_view(state: State) -> bool:
    """Whether all things, puppets and words of a state can be seen well enough, their middles within the picture."""
    middles = [state.things[number].centre for number in state.present]
    middles += [(*puppet.position, puppet.height / 2) for puppet in state.puppets]
    if not _framed(state.camera, middles):
        return False
    counts = np.bincount(render(state, _CHECKED).ids.ravel(), minlength=BOARD + 4)
    owners = [number + 1 for number in state.present] + [PUPPET + i for i in range(len(state.puppets))]
    if state.board:
        owners += [BOARD + 1 + i for i in range(len(state.board.words))]
    return all(counts[owner] >= _LEAST for owner in owners)


def free(state: State, radius: float, spot: Sequence[float], but: Sequence[int] = ()) -> bool:
    """Whether a thing of some radius may stand at (x, y) on the floor; things in `but` do not count."""
    taken = [(t.position, t.radius) for n, t in enumerate(state.things) if t.there and n not in but]
    taken += [(puppet.position, 0.3 * puppet.height) for puppet in state.puppets]
    if math.hypot(*spot[:2]) > REACH + 0.3:
        return False
    return all(math.dist(spot[:2], place[:2]) >= radius + other + GAP for place, other in taken)


def _standing(state: State, thing: Thing, rng: np.random.Generator) -> Thing | None:
    spot = _spot(state, thing.radius, rng)
    return None if spot is None else dataclasses.replace(thing, position=(*spot, 0.0))


def _stacked(state: State, thing: Thing, rng: np.random.Generator) -> Thing | None:
    """Puts a small thing on a large flat one; on the floor where there is none."""
    under = [
        other
        for other in state.things
        if other.shape in ("cube", "cylinder")
        and other.size_word == "large"
        and all(
            math.dist(other.position[:2], third.position[:2]) > 1e-6
            for third in state.things
            if third != other
        )
    ]
    if thing.size_word == "large" or not under:
        return _standing(state, thing, rng)
    below = under[rng.integers(len(under))]
    return dataclasses.replace(thing, position=(*below.position[:2], below.size))


def _spot(state: State, radius: float, rng: np.random.Generator) -> tuple[float, float] | None:
    for _ in range(20):
        spot = REACH * math.sqrt(rng.random()) * np.exp(2j * math.pi * rng.random())
        place = float(spot.real), float(spot.imag)
        if free(state, radius, place) and _framed(state.camera, [(*place, radius)]):
            return place
    return None


def _framed(camera: Camera, points: Sequence[tuple[float, float, float]]) -> bool:
    """Whether points lie within the picture."""
    places, _ = project(camera, np.array(points).reshape(-1, 3))
    return bool(((places >= 0) & (places <= 1)).all())


def _hung(board: Board | None, camera: Camera, rng: np.random.Generator) -> Board | None:
    """Puts a board near the middle, its front turned to the camera."""
    if board is None:
        return None
    back = -rotation(camera)[2, :2]
    place = back / np.linalg.norm(back) * rng.uniform(-0.2, 0.3)
    yaw = camera.phi + float(rng.uniform(-0.4, 0.4))
    return dataclasses.replace(board, position=(float(place[0]), float(place[1])), yaw=yaw)
