"""Questions about a state, their answers and what to choose from, made by programme; blind, no answer is likelier.

Whoever asks draws the kind and `aim` once, and draws states until one fits: what is easy to fulfil is not asked more
often. Of two answers each has half of the aims.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data_tasks.toy.phrases import (
    ANY,
    COLOUR,
    SHAPE,
    SIZE,
    TEXTURE,
    Description,
    fitting,
    shortest,
    spoken,
)
from data_tasks.toy.scene import COLOURS, SIZES, TEXTURES, State
from data_tasks.toy.splits import Split
from data_tasks.toy.truth import BEHIND, FRONT, LEFT, RIGHT, relation

YES_NO = ("yes", "no")
FLOOR = (LEFT, RIGHT, FRONT, BEHIND)
DISTRACTORS = 4

_ASKED_OF = {COLOUR: "colour", SHAPE: "shape", SIZE: "size"}
_COUNTED = ((SIZE, 4), (TEXTURE, 3), (COLOUR, 3), (SHAPE, 3))
"""Attributes to count by, and how many answers from 0 each may have."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A question.

    Attributes:
      kind: One of KINDS.
      question: In words.
      answer: In words, one of the options.
      options: What to choose from.
      program: What was asked, for whoever computes the answer anew: descriptions, and numbers of things.
    """

    kind: str
    question: str
    answer: str
    options: tuple[str, ...]
    program: dict[str, Any]


def ask(
    kind: str, state: State, seen: Sequence[int], split: Split, aim: float, rng: np.random.Generator
) -> Asked | None:
    """Makes a question of a kind about a state; nothing where the state does not fit.

    Args:
      kind: One of KINDS.
      state: What there is.
      seen: Numbers of the things that can be seen.
      split: Says which things may be spoken of.
      aim: In [0, 1), says which answer is wanted.
      rng: Draws the rest.
    """
    return _KINDS[kind](state, [*seen], split, aim, rng)


def _exists(
    state: State, seen: list[int], split: Split, aim: float, rng: np.random.Generator
) -> Asked | None:
    if aim < 0.5:
        words = state.things[seen[rng.integers(len(seen))]].words
        shape, colour = words[SHAPE], words[COLOUR]
    else:
        # Drawn as the first thing of a state is, so that the pair says nothing about the answer.
        pairs = split.must if split.must and rng.random() < 1 / len(seen) else split.pairs
        shape, colour = pairs[rng.integers(len(pairs))]
    wanted: Description = (None, None, colour, shape)
    there = bool(fitting(state, seen, wanted))
    if there != (aim < 0.5):
        return None
    article = "an" if colour[0] in "aeiou" else "a"
    return _yes_no("exists", f"is there {article} {spoken(wanted)}?", there, filter=wanted)


def _count(state: State, seen: list[int], split: Split, aim: float, rng: np.random.Generator) -> Asked | None:
    low, high = split.count
    table = [(None, number) for number in range(low, high + 1)]
    table += [(attribute, number) for attribute, most in _COUNTED for number in range(most)]
    attribute, number = table[int(aim * len(table))]
    wanted = (
        [ANY] if attribute is None else [_only(attribute, word) for word in _vocabulary(attribute, split)]
    )
    fit = [description for description in wanted if len(fitting(state, seen, description)) == number]
    if not fit:
        return None
    description = fit[rng.integers(len(fit))]
    others = [str(other) for other in range(high + 2) if other != number]
    return _choice(
        "count",
        f"how many {spoken(description, plural=True)} are there?",
        str(number),
        others,
        rng,
        filter=description,
    )


def _query(
    attribute: int, state: State, seen: list[int], split: Split, aim: float, rng: np.random.Generator
) -> Asked | None:
    words = _vocabulary(attribute, split)
    among = seen
    if attribute == SIZE:  # there are more small things than large ones
        among = [n for n in seen if state.things[n].words[SIZE] == words[int(aim * len(words))]]
    told = [(n, d) for n in among for d in shortest(state, n, seen, without=[attribute])]
    if not told:
        return None
    number, description = told[rng.integers(len(told))]
    name, answer = _ASKED_OF[attribute], state.things[number].words[attribute]
    question = f"what {name} is the {spoken(description)}?"
    return _choice(name, question, answer, [word for word in words if word != answer], rng, thing=number)


def _larger(
    state: State, seen: list[int], split: Split, aim: float, rng: np.random.Generator
) -> Asked | None:
    pairs = [
        (a, b)
        for a in seen
        for b in seen
        if state.things[a].words[SIZE] == "large" and state.things[b].words[SIZE] == "small"
    ]
    told = [
        (a, b, x, y)
        for a, b in pairs
        for x in shortest(state, a, seen, without=[SIZE])
        for y in shortest(state, b, seen, without=[SIZE])
    ]
    if not told:
        return None
    large, small, right, wrong = told[rng.integers(len(told))]
    first, second = (right, wrong) if aim < 0.5 else (wrong, right)
    question = f"which is larger, the {spoken(first)} or the {spoken(second)}?"
    return Asked(
        "larger", question, spoken(right), (spoken(first), spoken(second)), {"things": [large, small]}
    )


def _more(state: State, seen: list[int], split: Split, aim: float, rng: np.random.Generator) -> Asked | None:
    attribute = (COLOUR, SHAPE)[rng.integers(2)]
    words = [_only(attribute, word) for word in _vocabulary(attribute, split)]
    counts = [len(fitting(state, seen, description)) for description in words]
    pairs = [(i, j) for i in range(len(words)) for j in range(len(words)) if counts[i] > counts[j] > 0]
    if not pairs:
        pairs = [(i, j) for i in range(len(words)) for j in range(len(words)) if counts[i] > counts[j]]
    many, few = pairs[rng.integers(len(pairs))]
    first, second = (many, few) if aim < 0.5 else (few, many)
    named = f"{spoken(words[first], plural=True)} than {spoken(words[second], plural=True)}"
    return _yes_no("more", f"are there more {named}?", aim < 0.5, filters=[words[first], words[second]])


def _same(state: State, seen: list[int], split: Split, aim: float, rng: np.random.Generator) -> Asked | None:
    attribute = (COLOUR, SHAPE, SIZE)[int(aim * 6) % 3]
    told = []
    for a in seen:
        for b in seen:
            equal = state.things[a].words[attribute] == state.things[b].words[attribute]
            if a != b and equal == (aim < 0.5):
                first, second = (shortest(state, n, seen, without=[attribute]) for n in (a, b))
                told += [(a, b, x, y) for x in first for y in second]
    if not told:
        return None
    a, b, first, second = told[rng.integers(len(told))]
    question = f"do the {spoken(first)} and the {spoken(second)} have the same {_ASKED_OF[attribute]}?"
    return _yes_no("same", question, aim < 0.5, attribute=attribute, things=[a, b])


def _where(state: State, seen: list[int], split: Split, aim: float, rng: np.random.Generator) -> Asked | None:
    wanted = FLOOR[int(aim * len(FLOOR))]
    found = _related(state, seen, wanted, rng)
    if found is None:
        return None
    a, b, first, second = found
    question = f"where is the {first}, seen from the {second}?"
    return Asked("where", question, wanted, _shuffled(FLOOR, rng), {"things": [a, b]})


def _is_at(state: State, seen: list[int], split: Split, aim: float, rng: np.random.Generator) -> Asked | None:
    asked = FLOOR[int(aim * 8) % 4]
    true = asked if aim < 0.5 else [other for other in FLOOR if other != asked][rng.integers(3)]
    found = _related(state, seen, true, rng)
    if found is None:
        return None
    a, b, first, second = found
    return _yes_no(
        "is_at", f"is the {first} {asked} the {second}?", aim < 0.5, things=[a, b], predicate=asked
    )


def _related(
    state: State, seen: list[int], wanted: str, rng: np.random.Generator
) -> tuple[int, int, str, str] | None:
    pairs = [(a, b) for a in seen for b in seen if a != b and relation(state, a, b) == wanted]
    if not pairs:
        return None
    a, b = pairs[rng.integers(len(pairs))]
    first, second = (shortest(state, n, seen) for n in (a, b))
    return a, b, spoken(first[rng.integers(len(first))]), spoken(second[rng.integers(len(second))])


_KINDS: dict[str, Callable[..., Asked | None]] = {
    "exists": _exists,
    "count": _count,
    "colour": lambda *asked: _query(COLOUR, *asked),
    "shape": lambda *asked: _query(SHAPE, *asked),
    "size": lambda *asked: _query(SIZE, *asked),
    "larger": _larger,
    "more": _more,
    "same": _same,
    "where": _where,
    "is_at": _is_at,
}
KINDS = tuple(_KINDS)


def _only(attribute: int, word: str) -> Description:
    return tuple(word if place == attribute else None for place in range(4))


def _vocabulary(attribute: int, split: Split) -> tuple[str, ...]:
    return {
        SIZE: tuple(SIZES),
        TEXTURE: tuple(TEXTURES.values()),
        COLOUR: tuple(COLOURS),
        SHAPE: split.shapes,
    }[attribute]


def _yes_no(kind: str, question: str, answer: bool, **program: Any) -> Asked:
    return Asked(kind, question, YES_NO[0] if answer else YES_NO[1], YES_NO, program)


def _choice(
    kind: str, question: str, answer: str, others: list[str], rng: np.random.Generator, **program: Any
) -> Asked:
    kept = [others[place] for place in rng.permutation(len(others))[:DISTRACTORS]]
    return Asked(kind, question, answer, _shuffled((answer, *kept), rng), program)


def _shuffled(options: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(options[place] for place in rng.permutation(len(options)))
