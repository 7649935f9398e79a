"""Sentences that say what a state shows, in several grammars, two of them held out; and facts read back from one."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from data_tasks.toy.phrases import COLOUR, SHAPE, SIZE, TEXTURE, described, spoken
from data_tasks.toy.scene import COLOURS, SHAPES, SIZES, TEXTURES, State
from data_tasks.toy.truth import along, relation

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
MOTIONS = {
    "slide": "slides over the floor",
    "approach": "moves up to",
    "jump": "jumps up and comes down again",
    "spin": "spins about itself",
    "vanish": "vanishes",
    "collide": "bumps into",
}

_MENTION = re.compile(
    rf"(?:\b({'|'.join(SIZES)}) )?(?:\b({'|'.join(TEXTURES.values())}) )?\b({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"
)


def caption(state: State, seen: Sequence[int], held_out: bool, rng: np.random.Generator) -> str:
    """Draws a description of the things that are seen.

    Args:
      state: What there is.
      seen: Numbers of the things to speak of, at least one.
      held_out: Whether to use the grammars that training never uses.
      rng: Draws.
    """
    grammars = _HELD_OUT if held_out else _GRAMMARS
    return grammars[rng.integers(len(grammars))](state, [*map(int, rng.permutation(seen))], rng)


def happening(
    state: State, kind: str, actor: int, other: int | None, held_out: bool, rng: np.random.Generator
) -> str:
    """Draws a sentence about what happens in a clip of that kind."""
    who = mention(state, actor, rng)
    whom = "" if other is None else f" {mention(state, other, rng)}"
    if held_out:
        return f"what happens: {who} {MOTIONS[kind]}{whom}"
    return (f"{who} {MOTIONS[kind]}{whom}", f"in this clip {who} {MOTIONS[kind]}{whom}")[rng.integers(2)]


def facts(caption: str) -> Counter[tuple[str, str]]:
    """Returns the colours and shapes of the things that a caption mentions, counted; inverse of all grammars."""
    return Counter((colour, shape) for _, _, colour, shape in _MENTION.findall(caption.lower()))


def mention(state: State, number: int, rng: np.random.Generator) -> str:
    """Draws words for a thing: always colour and shape, at times size and texture."""
    said = [COLOUR, SHAPE] + [SIZE] * int(rng.random() < 0.5) + [TEXTURE] * int(rng.random() < 0.3)
    if state.things[number].texture == "plain":
        said = [place for place in said if place != TEXTURE]
    words = spoken(described(state, number, said))
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def joined(parts: Sequence[str]) -> str:
    """Joins words as a list is spoken: "a, b and c"."""
    return " and ".join([", ".join(parts[:-1])] * (len(parts) > 1) + [parts[-1]])


def in_order(state: State, seen: Sequence[int]) -> list[int] | None:
    """Returns the things from left to right, where that is beyond doubt."""
    where = {number: along(state.camera, state.things[number], state.things[seen[0]])[0] for number in seen}
    ordered = sorted(seen, key=where.__getitem__)
    near = any(where[b] - where[a] < 0.15 for a, b in zip(ordered, ordered[1:], strict=False))
    return None if near else ordered


def _listed(state: State, seen: list[int], rng: np.random.Generator) -> str:
    return f"{joined([mention(state, n, rng) for n in seen])} on a {state.room.floor} floor"


def _counted(state: State, seen: list[int], rng: np.random.Generator) -> str:
    things = "thing" if len(seen) == 1 else "things"
    return f"{NUMBERS[len(seen)]} {things}: {joined([mention(state, n, rng) for n in seen])}"


def _related(state: State, seen: list[int], rng: np.random.Generator) -> str:
    for first in seen:
        for second in seen:
            predicate = relation(state, first, second) if first != second else None
            if predicate:
                rest = [mention(state, n, rng) for n in seen if n not in (first, second)]
                also = f", and there is also {joined(rest)}" if rest else ""
                return f"{mention(state, first, rng)} is {predicate} {mention(state, second, rng)}{also}"
    return _listed(state, seen, rng)


def _ordered(state: State, seen: list[int], rng: np.random.Generator) -> str:
    order = in_order(state, seen)
    if order is None or len(order) == 1:
        return f"there is {joined([mention(state, n, rng) for n in seen])}"
    return f"from left to right: {', '.join(mention(state, n, rng) for n in order)}"


def _stood(state: State, seen: list[int], rng: np.random.Generator) -> str:
    return f"in a room with {state.room.wall} walls stands {joined([mention(state, n, rng) for n in seen])}"


def _walls_last(state: State, seen: list[int], rng: np.random.Generator) -> str:
    things = joined([mention(state, n, rng) for n in seen])
    return f"the camera looks at {things}; the floor is {state.room.floor}"


def _turned(state: State, seen: list[int], rng: np.random.Generator) -> str:
    for first in seen:
        for second in seen:
            predicate = relation(state, first, second) if first != second else None
            if predicate:
                rest = [mention(state, n, rng) for n in seen if n not in (first, second)]
                also = f"; not far away, {joined(rest)}" if rest else ""
                return (
                    f"with {mention(state, first, rng)} {predicate} it, {mention(state, second, rng)}{also}"
                )
    return _walls_last(state, seen, rng)


Grammar = Callable[[State, list[int], np.random.Generator], str]
_GRAMMARS: tuple[Grammar, ...] = (_listed, _counted, _related, _ordered, _stood)
_HELD_OUT: tuple[Grammar, ...] = (_walls_last, _turned)
