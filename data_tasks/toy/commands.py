"""Edits: a command in words and the state after it. The words, with the picture, say all that changes.

"Left" and "right", "closer" and "away" are the camera's. A step is STEP metres.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from data_tasks.toy.phrases import alone
from data_tasks.toy.placing import free, in_view
from data_tasks.toy.plan import distinct
from data_tasks.toy.scene import COLOURS, SIZES, TEXTURES, State, Thing
from data_tasks.toy.splits import Split
from data_tasks.toy.truth import BEHIND, FRONT, LEFT, RIGHT, directions

STEP = 0.35
MADE = {size: sum(limits) / 2 for size, limits in SIZES.items()}
"""Metres of a thing that a command makes, or makes larger or smaller."""

_WAYS = {LEFT: "to the left", RIGHT: "to the right", FRONT: "closer", BEHIND: "further away"}
_WORDINGS = {
    "recolour": (
        ("make the {thing} {colour}", "paint the {thing} {colour}"),
        ("give the {thing} the colour {colour}",),
    ),
    "repaint": (
        ("make the {thing} {texture}", "paint the {thing} {texture}"),
        ("give the {thing} a {texture} look",),
    ),
    "reshape": (
        ("turn the {thing} into a {shape}", "replace the {thing} by a {shape}"),
        ("where the {thing} is, put a {shape} of that kind",),
    ),
    "resize": (
        ("make the {thing} {size}", "change the {thing} so that it is {size}"),
        ("the {thing} should be {size}",),
    ),
    "remove": (("remove the {thing}", "take the {thing} away"), ("get rid of the {thing}",)),
    "move": (("move the {thing} {way}", "push the {thing} {way}"), ("bring the {thing} {way}",)),
    "add": (
        ("add a {new} {where} the {thing}", "put a {new} {where} the {thing}"),
        ("let there be a {new} {where} the {thing}",),
    ),
}
KINDS = tuple(_WORDINGS)


@dataclasses.dataclass(frozen=True)
class Command:
    """One change.

    Attributes:
      kind: One of KINDS.
      text: In words.
      after: The state it leads to.
    """

    kind: str
    text: str
    after: State


def draw(state: State, seen: Sequence[int], split: Split, rng: np.random.Generator) -> Command | None:
    """Draws a command whose result belongs to the split and can be seen; kinds are tried in random order.

    Args:
      state: Before.
      seen: Numbers of the things that can be spoken of.
      split: Owner of the result.
      rng: Draws.
    """
    for kind in map(str, rng.permutation(KINDS)):
        for number in map(int, rng.permutation(seen)):
            choices = _KINDS[kind](state, number, split)
            for place in rng.permutation(len(choices))[:6]:
                slots, after = choices[place]
                if split.owns([after]) and distinct(after) and in_view(after):
                    wordings = _WORDINGS[kind][int(split.held_out)]
                    wording = wordings[rng.integers(len(wordings))]
                    return Command(
                        kind, wording.format(thing=alone(state, number, seen, rng), **slots), after
                    )
    return None


Choices = list[tuple[dict[str, str], State]]


def _recolour(state: State, number: int, split: Split) -> Choices:
    others = [colour for colour in COLOURS if colour != state.things[number].colour]
    return [({"colour": colour}, state.having(number, colour=colour)) for colour in others]


def _repaint(state: State, number: int, split: Split) -> Choices:
    others = [texture for texture in TEXTURES if texture != state.things[number].texture]
    return [({"texture": TEXTURES[texture]}, state.having(number, texture=texture)) for texture in others]


def _reshape(state: State, number: int, split: Split) -> Choices:
    if _bears(state, number):
        return []
    made = [
        ({"shape": s}, state.having(number, shape=s)) for s in split.shapes if s != state.things[number].shape
    ]
    return [(slots, after) for slots, after in made if _fits(after, number)]


def _resize(state: State, number: int, split: Split) -> Choices:
    thing = state.things[number]
    if _bears(state, number) or thing.position[2]:
        return []
    size = "large" if thing.size_word == "small" else "small"
    after = state.having(number, size=MADE[size])
    return [({"size": size}, after)] if _fits(after, number) else []


def _remove(state: State, number: int, split: Split) -> Choices:
    if _bears(state, number) or len(state.present) < 2:
        return []
    return [({}, state.having(number, there=False))]


def _move(state: State, number: int, split: Split) -> Choices:
    thing = state.things[number]
    if _bears(state, number) or thing.position[2]:
        return []
    made = []
    for predicate, step in _steps(state).items():
        spot = np.array(thing.position[:2]) + STEP * step
        after = state.having(number, position=(float(spot[0]), float(spot[1]), 0.0))
        if _fits(after, number):
            made.append(({"way": _WAYS[predicate]}, after))
    return made


def _add(state: State, number: int, split: Split) -> Choices:
    beside, made = state.things[number], []
    if beside.position[2]:
        return []
    for shape, colour in split.pairs:
        for size, metres in MADE.items():
            new = Thing(shape, colour, "plain", metres, (0.0, 0.0, 0.0))
            for predicate, step in _steps(state).items():
                spot = np.array(beside.position[:2]) + (beside.radius + new.radius + 0.15) * step
                placed = dataclasses.replace(new, position=(float(spot[0]), float(spot[1]), 0.0))
                after = dataclasses.replace(state, things=(*state.things, placed))
                words = {"new": f"{size} {colour} {shape}", "where": predicate}
                made.append((words, after))
    return [(slots, after) for slots, after in made if _fits(after, len(state.things))]


_KINDS: dict[str, Callable[[State, int, Split], Choices]] = {
    "recolour": _recolour,
    "repaint": _repaint,
    "reshape": _reshape,
    "resize": _resize,
    "remove": _remove,
    "move": _move,
    "add": _add,
}


def _steps(state: State) -> dict[str, np.ndarray]:
    right, away = directions(state.camera)
    return {LEFT: -right, RIGHT: right, FRONT: -away, BEHIND: away}


def _bears(state: State, number: int) -> bool:
    """Whether something stands on a thing."""
    place = state.things[number].position
    return any(
        math.dist(state.things[n].position[:2], place[:2]) < 1e-6 and state.things[n].position[2] > place[2]
        for n in state.present
    )


def _fits(state: State, number: int) -> bool:
    """Whether a thing has room where it stands."""
    thing = state.things[number]
    return thing.position[2] > 0 or free(state, thing.radius, thing.position, but=[number])
