"""What there is to be in a state, drawn by a plan: the room, which things, puppets and words. A pure function."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from data_tasks.toy import figure
from data_tasks.toy.placing import draw_camera, in_view, place
from data_tasks.toy.scene import FLOORS, SIZES, TEXTURES, WALLS, Board, Light, Puppet, Room, State, Thing
from unified_io.errors import DataError

_TRIES, _PLACINGS = 3000, 12
# Of surfaces that are plain whatever is drawn: on a small thing a pattern is larger than what tells its shape.
_PLAIN = 0.6


@dataclasses.dataclass(frozen=True)
class Plan:
    """What kinds of state to draw.

    Attributes:
      pairs: (shape, colour) that things may have.
      must: The first thing is one of these; none for no such wish.
      count: Fewest and most things.
      puppets: Fewest and most puppets.
      words: What a board may say; none for no board.
      fonts: Fonts it may be written in.
      stacked: How often a small thing stands on a larger one.
    """

    pairs: tuple[tuple[str, str], ...]
    must: tuple[tuple[str, str], ...] = ()
    count: tuple[int, int] = (1, 4)
    puppets: tuple[int, int] = (0, 0)
    words: tuple[str, ...] = ()
    fonts: tuple[int, ...] = (0,)
    stacked: float = 0.2


def draw(plan: Plan, rng: np.random.Generator, wanted: Callable[[State], bool] = lambda state: True) -> State:
    """Draws a state in which every thing, puppet and word is in view, and no two things are described alike.

    Args:
      plan: What there may be.
      rng: Draws it.
      wanted: What else must be true of its content; where things stand is not yet drawn.

    Raises:
      DataError: None was found; says so.
    """
    # Drawn once: states of many things fail more often, and would be drawn less often.
    count = int(rng.integers(plan.count[0], plan.count[1] + 1))
    for _ in range(_TRIES):
        content = _content(plan, count, rng)
        if not distinct(content) or not wanted(content):
            continue
        for _ in range(_PLACINGS):
            state = place(content, plan.stacked, rng)
            if state is not None and in_view(state):
                return state
    raise DataError(f"no state with {count} things was found in {_TRIES} tries; ask for fewer")


def distinct(state: State) -> bool:
    """Whether no two things are described alike."""
    words = [state.things[number].words for number in state.present]
    return len(set(words)) == len(words)


def _content(plan: Plan, count: int, rng: np.random.Generator) -> State:
    """Draws all but places: the room, the things, the puppets, the words."""
    room = Room(_one(rng, FLOORS), _one(rng, WALLS), _texture(rng))
    light = Light(float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.6, 1.2)))
    things = [_thing(plan.must if plan.must and n == 0 else plan.pairs, count, rng) for n in range(count)]
    puppets = [_puppet(rng) for _ in range(int(rng.integers(plan.puppets[0], plan.puppets[1] + 1)))]
    board = None
    if plan.words:
        words = rng.choice(plan.words, size=int(rng.integers(1, 3)), replace=False)
        board = Board(tuple(map(str, words)), (0.0, 0.0), 0.0, int(rng.choice(plan.fonts)))
    order = rng.permutation(count)
    return State(room, tuple(things[n] for n in order), draw_camera(rng), light, tuple(puppets), board)


def _thing(pairs: Sequence[tuple[str, str]], count: int, rng: np.random.Generator) -> Thing:
    shape, colour = pairs[rng.integers(len(pairs))]
    # Many large things would leave no room for each other.
    size = "large" if rng.random() < min(0.5, 2.0 / count) else "small"
    yaw = float(rng.uniform(0, 2 * math.pi))
    return Thing(shape, colour, _texture(rng), float(rng.uniform(*SIZES[size])), (0.0, 0.0, 0.0), yaw)


def _puppet(rng: np.random.Generator) -> Puppet:
    angles = tuple(float(rng.uniform(*limits)) for limits in figure.LIMITS)
    return Puppet((0.0, 0.0), float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(0.6, 0.9)), angles)


def _texture(rng: np.random.Generator) -> str:
    return "plain" if rng.random() < _PLAIN else _one(rng, TEXTURES)


def _one(rng: np.random.Generator, names: Sequence[str] | dict) -> str:
    return [*names][rng.integers(len(names))]
