"""Short clips: five states in order of time, in which one thing moves. Knows no pixels and no words for things.

The camera stands still; what moves is one thing, and the one that it bumps into.
"""

import dataclasses
import math

import numpy as np

from data_tasks.toy.camera import project
from data_tasks.toy.placing import free
from data_tasks.toy.scene import State, Thing

FRAMES = 5
SECONDS = 0.25  # between frames
KINDS = ("slide", "approach", "jump", "spin", "vanish", "collide")
_EDGE = 0.06  # how far from the picture's edge the middle of a moving thing stays


@dataclasses.dataclass(frozen=True)
class Clip:
    """What happens.

    Attributes:
      kind: One of KINDS.
      states: One a frame; things keep their numbers.
      actor: The thing that moves.
      other: The thing it moves to, for "approach" and "collide".
      moment: When it happens, seconds: the touch, the top of the jump, the vanishing; 0 where it goes on all the time.
    """

    kind: str
    states: tuple[State, ...]
    actor: int
    other: int | None = None
    moment: float = 0.0


def draw(state: State, rng: np.random.Generator, kinds: tuple[str, ...] = KINDS) -> Clip | None:
    """Draws what happens next in a state; nothing where no kind of motion has room. Kinds are equally likely."""
    for kind in rng.permutation(kinds):
        for actor in rng.permutation(state.present):
            clip = _MOVES[str(kind)](state, int(actor), rng)
            if clip is not None and _stays_in_view(clip):
                return clip
    return None


def _slide(state: State, actor: int, rng: np.random.Generator) -> Clip | None:
    thing = state.things[actor]
    if not _alone(state, actor):
        return None
    for _ in range(8):
        angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.35, 0.7)
        step = far * np.array([math.cos(angle), math.sin(angle), 0.0])
        places = [thing.position + step * part for part in np.linspace(0, 1, FRAMES)]
        # It stays clear of all others, else it would approach one.
        if all(free(state, thing.radius + 0.1, place, but=[actor]) for place in places[1:]):
            return Clip("slide", _placed(state, actor, places), actor)
    return None


def _approach(state: State, actor: int, rng: np.random.Generator) -> Clip | None:
    for other in map(int, rng.permutation(state.present)):
        route = _route(state, actor, other)
        if route is not None:
            start, step = route
            places = [start + step * part for part in np.linspace(0, 1, FRAMES)]
            return Clip("approach", _placed(state, actor, places), actor, other, SECONDS * (FRAMES - 1))
    return None


def _collide(state: State, actor: int, rng: np.random.Generator) -> Clip | None:
    for other in map(int, rng.permutation(state.present)):
        route = _route(state, actor, other)
        if route is None:
            continue
        start, step = route
        pushed = step / np.linalg.norm(step) * rng.uniform(0.2, 0.35)
        goal = state.things[other].position + pushed
        if not free(state, state.things[other].radius, goal, but=[actor, other]):
            continue
        states = _placed(state, actor, [start + step * part for part in (0.0, 0.5, 1.0, 1.0, 1.0)])
        places = [state.things[other].position + pushed * part for part in (0.0, 0.0, 0.0, 0.5, 1.0)]
        moved = tuple(
            one.having(other, position=_point(place)) for one, place in zip(states, places, strict=True)
        )
        return Clip("collide", moved, actor, other, 2 * SECONDS)
    return None


def _jump(state: State, actor: int, rng: np.random.Generator) -> Clip | None:
    if not _alone(state, actor):
        return None
    high, start = rng.uniform(0.3, 0.5), np.array(state.things[actor].position)
    heights = [4 * high * part * (1 - part) for part in np.linspace(0, 1, FRAMES)]
    places = [start + (0.0, 0.0, height) for height in heights]
    return Clip("jump", _placed(state, actor, places), actor, None, SECONDS * (FRAMES - 1) / 2)


def _spin(state: State, actor: int, rng: np.random.Generator) -> Clip | None:
    thing = state.things[actor]
    if thing.texture == "plain" and thing.shape not in ("cube", "pyramid"):
        return None  # nobody would see it
    step = float(rng.choice([-1, 1]) * rng.uniform(0.3, 0.6))
    states = tuple(state.having(actor, yaw=thing.yaw + step * frame) for frame in range(FRAMES))
    return Clip("spin", states, actor)


def _vanish(state: State, actor: int, rng: np.random.Generator) -> Clip | None:
    if not _alone(state, actor):
        return None
    gone = int(rng.integers(2, FRAMES))
    states = tuple(state.having(actor, there=frame < gone) for frame in range(FRAMES))
    return Clip("vanish", states, actor, None, SECONDS * gone)


_MOVES = {
    "slide": _slide,
    "approach": _approach,
    "jump": _jump,
    "spin": _spin,
    "vanish": _vanish,
    "collide": _collide,
}


def _route(state: State, actor: int, other: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Where the actor starts and how it gets to touch the other, where the way is long enough and free."""
    if actor == other or not (_alone(state, actor) and _alone(state, other)):
        return None
    first, second = state.things[actor], state.things[other]
    step = np.subtract(second.position, first.position)
    far = float(np.linalg.norm(step))
    way = far - first.radius - second.radius
    if way < 0.25:
        return None
    step *= way / far
    places = [first.position + step * part for part in np.linspace(0, 1, 2 * FRAMES)]
    if not all(free(state, first.radius, place, but=[actor, other]) for place in places):
        return None
    return np.array(first.position), step


def _alone(state: State, number: int) -> bool:
    """Whether nothing stands on a thing, and it on nothing."""
    place = state.things[number].position
    return place[2] == 0.0 and all(
        n == number or math.dist(place[:2], state.things[n].position[:2]) > 1e-6 for n in state.present
    )


def _placed(state: State, actor: int, places: list[np.ndarray]) -> tuple[State, ...]:
    return tuple(state.having(actor, position=_point(place)) for place in places)


def _point(place: np.ndarray) -> tuple[float, float, float]:
    x, y, z = map(float, place)
    return x, y, z


def _stays_in_view(clip: Clip) -> bool:
    moving: list[Thing] = [
        state.things[number]
        for state in clip.states
        for number in (clip.actor, clip.other)
        if number is not None
    ]
    places, _ = project(clip.states[0].camera, np.array([thing.centre for thing in moving]))
    return bool(((places > _EDGE) & (places < 1 - _EDGE)).all())
