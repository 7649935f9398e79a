"""Instructions of several steps about a state, and conversations; every response can be computed anew."""

import json
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from data_tasks.toy.captions import NUMBERS, in_order, joined
from data_tasks.toy.phrases import COLOUR, SHAPE, SIZE, described, spoken
from data_tasks.toy.scene import SIZES, State

_WORDINGS = {
    "by_size": (
        (
            "list all things as json, small ones first, those of one size in the order of the alphabet by colour",
            "write a json list of the things, sorted by size and then by colour",
        ),
        ("give me json: one entry a thing, from small to large, equal sizes by the name of the colour",),
    ),
    "count_shapes": (
        (
            "count the things of every shape and answer in json",
            "make a json table of how many things of each shape there are",
        ),
        ("how often does each shape occur? reply with a json object",),
    ),
    "colours": (
        (
            "name all colours of things once, in the order of the alphabet",
            "list the colours of the things from a to z",
        ),
        ("which colours do the things have? sort them and say each once",),
    ),
    "large_small": (
        (
            "count the things, then say how many are large and how many are small",
            "say how many things there are, and how many of each size",
        ),
        ("give the number of things, then of the large and the small ones",),
    ),
    "left_to_right": (
        (
            "describe the things from left to right, one a line",
            "write one line a thing, beginning on the left",
        ),
        ("go from the left to the right and put each thing on a line of its own",),
    ),
}
KINDS = tuple(_WORDINGS)


def draw(state: State, seen: Sequence[int], held_out: bool, rng: np.random.Generator) -> tuple[str, str, str]:
    """Draws an instruction that a state allows: its kind, its words and the response."""
    told = {kind: response for kind in KINDS if (response := respond(kind, state, seen))}
    kind = [*told][rng.integers(len(told))]
    wordings = _WORDINGS[kind][int(held_out)]
    return kind, wordings[rng.integers(len(wordings))], told[kind]


def respond(kind: str, state: State, seen: Sequence[int]) -> str | None:
    """Returns what a good response to an instruction of a kind says; nothing where the state leaves it open."""
    return _RESPONSES[kind](state, seen)


def conversation(
    state: State, seen: Sequence[int], held_out: bool, rng: np.random.Generator
) -> list[list[str]]:
    """Draws a conversation of two or three instructions, none twice, and their responses: [role, text]."""
    turns, asked = [], set()
    for _ in range(int(rng.integers(2, 4))):
        kind, instruction, response = draw(state, seen, held_out, rng)
        if kind not in asked:
            turns += [["user", instruction], ["assistant", response]]
        asked.add(kind)
    return turns


def _by_size(state: State, seen: Sequence[int]) -> str:
    entries = [
        dict(zip(("size", "texture", "colour", "shape"), state.things[n].words, strict=True)) for n in seen
    ]
    order = [*SIZES]
    entries.sort(
        key=lambda entry: (order.index(entry["size"]), entry["colour"], entry["shape"], entry["texture"])
    )
    return json.dumps([{key: entry[key] for key in ("size", "colour", "shape")} for entry in entries])


def _count_shapes(state: State, seen: Sequence[int]) -> str:
    return json.dumps(Counter(state.things[n].words[SHAPE] for n in seen), sort_keys=True)


def _colours(state: State, seen: Sequence[int]) -> str:
    return ", ".join(sorted({state.things[n].words[COLOUR] for n in seen}))


def _large_small(state: State, seen: Sequence[int]) -> str:
    sizes = Counter(state.things[n].words[SIZE] for n in seen)
    parts = [f"{NUMBERS[sizes[size]]} {size}" for size in ("large", "small")]
    return f"{NUMBERS[len(seen)]} in all: {joined(parts)}"


def _left_to_right(state: State, seen: Sequence[int]) -> str | None:
    order = in_order(state, seen)
    if order is None:
        return None
    return "\n".join(spoken(described(state, number, [SIZE, COLOUR, SHAPE])) for number in order)


_RESPONSES: dict[str, Callable[[State, Sequence[int]], str | None]] = {
    "by_size": _by_size,
    "count_shapes": _count_shapes,
    "colours": _colours,
    "large_small": _large_small,
    "left_to_right": _left_to_right,
}
