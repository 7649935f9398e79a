"""Words for things: a description by its attributes, and the shortest phrases that mean one thing and no other.

A description is (size, texture, colour, shape), None where it says nothing: (None, None, "red", "cube").
"""

import itertools
from collections.abc import Sequence

import numpy as np

from data_tasks.toy.scene import State
from data_tasks.toy.truth import relation

Description = tuple[str | None, str | None, str | None, str | None]
ANY: Description = (None, None, None, None)
SIZE, TEXTURE, COLOUR, SHAPE = range(4)
PLURALS = {"thing": "things"} | {
    shape: f"{shape}s" for shape in ("sphere", "cube", "cylinder", "cone", "pyramid", "capsule")
}


def fits(state: State, number: int, description: Description) -> bool:
    """Whether a description is true of a thing."""
    words = state.things[number].words
    return all(want in (None, word) for want, word in zip(description, words, strict=True))


def fitting(state: State, seen: Sequence[int], description: Description) -> list[int]:
    """Returns the numbers of the things of which a description is true."""
    return [number for number in seen if fits(state, number, description)]


def spoken(description: Description, plural: bool = False) -> str:
    """Returns a description in words: "red cube", "small thing", in the plural "red cubes"."""
    *attributes, shape = description
    noun = shape or "thing"
    return " ".join([word for word in attributes if word] + [PLURALS[noun] if plural else noun])


def described(state: State, number: int, attributes: Sequence[int]) -> Description:
    """Returns the description of a thing by some of its attributes."""
    words = state.things[number].words
    return tuple(word if place in attributes else None for place, word in enumerate(words))


def shortest(
    state: State, number: int, seen: Sequence[int], without: Sequence[int] = ()
) -> list[Description]:
    """Returns all descriptions with the fewest attributes, one at least, that are true of one thing and no other.

    Args:
      state: Where the thing is.
      number: The thing.
      seen: The things among which it must be told.
      without: Attributes that must not be said, since they are asked for.
    """
    usable = [place for place in range(4) if place not in without]
    for count in range(1, len(usable) + 1):
        found = [
            description
            for attributes in itertools.combinations(usable, count)
            if fitting(state, seen, description := described(state, number, attributes)) == [number]
        ]
        if found:
            return found
    return []


def referring(state: State, number: int, seen: Sequence[int], rng: np.random.Generator) -> str:
    """Draws a phrase that means one thing and no other, by attributes or by place: "cube left of the cone"."""
    plain = shortest(state, number, seen)
    placed = _placed(state, number, seen, rng) if rng.random() < 0.4 else []
    choices = placed or [spoken(description) for description in plain]
    return choices[rng.integers(len(choices))]


def alone(state: State, number: int, seen: Sequence[int], rng: np.random.Generator) -> str:
    """Draws a phrase by attributes only, as short as can be, that means one thing and no other."""
    choices = shortest(state, number, seen)
    return spoken(choices[rng.integers(len(choices))])


def _placed(state: State, number: int, seen: Sequence[int], rng: np.random.Generator) -> list[str]:
    """Phrases by shape and a relation, where the relation is beyond doubt for every thing of that shape."""
    head = described(state, number, [SHAPE])
    same = fitting(state, seen, head)
    found = []
    for mark in seen:
        predicate = relation(state, number, mark)
        rivals = [relation(state, other, mark) for other in same if other not in (number, mark)]
        if mark == number or predicate is None or None in rivals or predicate in rivals:
            continue
        if mark in same and len(same) == 2:
            continue  # "the cube left of the other cube" is not said so
        found.append(f"{spoken(head)} {predicate} the {alone(state, mark, seen, rng)}")
    return found
