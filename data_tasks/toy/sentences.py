"""Sentences about the toy world to be spoken: a small grammar, whole sentences held out.

Knows words only. Train, validation and test share their words but no sentence.
"""

import numpy as np

from data_tasks.toy.belonging import belongs
from data_tasks.toy.scene import COLOURS, SHAPES, SIZES
from data_tasks.toy.splits import split

_FRAMES = (
    "{a}",
    "the {a} {verb}",
    "find the {a}",
    "the {a} is {where} the {b}",
    "put the {a} {where} the {b}",
    "go {way} to the {a}",
)
_VERBS = ("rolls", "bounces", "rings", "spins", "stops")
_WHERE = ("behind", "left of", "right of", "in front of", "on")
_WAYS = ("straight", "left", "right", "back")
WORDS = tuple(
    sorted(
        {word for text in (*_FRAMES, *_VERBS, *_WHERE, *_WAYS) for word in text.split() if "{" not in word}
        | {*SIZES, *COLOURS, *SHAPES}
    )
)
"""Every word that is ever said."""


def sentence(name: str, rng: np.random.Generator) -> str:
    """Draws a sentence of a split, of two to fourteen words.

    Raises:
      ConfigError: There is no such split.
    """
    pairs = split(name).pairs
    while True:
        drawn = _one(_FRAMES, rng).format(
            a=_thing(pairs, rng),
            b=_thing(pairs, rng),
            verb=_one(_VERBS, rng),
            where=_one(_WHERE, rng),
            way=_one(_WAYS, rng),
        )
        if belongs(drawn, name):
            return drawn


def _thing(pairs: tuple[tuple[str, str], ...], rng: np.random.Generator) -> str:
    shape, colour = pairs[rng.integers(len(pairs))]
    size = _one(tuple(SIZES), rng)
    return _one((f"{colour} {shape}", f"{size} {shape}", f"{size} {colour} {shape}"), rng)


def _one(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[rng.integers(len(choices))]
