"""Tables for the arm, drawn in levels in the spirit of VIMA's.

Where things lie is new (`placement`), how shape and colour go together (`combination`), the shape (`object`), or the
job (`task`).
"""

import math
from collections.abc import Sequence

import numpy as np

from data_tasks.toy.arm import THING, TRAY, TURNED, Block, Job, Table, Tray, content, expert
from data_tasks.toy.belonging import belongs
from data_tasks.toy.scene import COLOURS
from data_tasks.toy.splits import Split, generator, split
from unified_io.errors import unknown

# Level: the split of the toy world that its things and seeds are from.
LEVELS = {
    "train": "train",
    "placement": "validation",
    "combination": "novel_pair",
    "object": "novel_shape",
    "task": "test",
}
JOBS = ("put", "put_all", "turn")
NEW_JOBS = ("put_others",)

_THINGS = (2, 4)  # fewest and most on a table
_APART = 0.19  # from thing to thing; from thing to tray it is a tray's half more


def draw(level: str, index: int) -> Table:
    """Draws a table of a level; tables of `train`, `placement` and `task` have no content in common.

    Raises:
      ConfigError: There is no such level.
    """
    if level not in LEVELS:
        raise unknown("level", level, LEVELS)
    name = LEVELS[level]
    rng, own = generator(name, index, "table"), split(name)
    while True:
        table = _table(own, NEW_JOBS if level == "task" else JOBS, rng)
        if table is not None and expert(table) and belongs(content(table), name):
            return table


def draw_things(own: Split, trays: int, rng: np.random.Generator) -> tuple[list[Block], list[Tray]] | None:
    """Draws things of which no two are alike, and trays; the first thing is what is special to the split.

    None where the table got too narrow for them.
    """
    count = int(rng.integers(_THINGS[0], _THINGS[1] + 1))
    chosen = [own.pairs[number] for number in rng.permutation(len(own.pairs))[:count]]
    if own.must:
        chosen[0] = own.must[rng.integers(len(own.must))]
    places = _places(trays, count, rng)
    if len(set(chosen)) < count or places is None:
        return None
    colours = [[*COLOURS][number] for number in rng.permutation(len(COLOURS))[:trays]]
    squares = [Tray(colour, *place) for colour, place in zip(colours, places[:trays], strict=True)]
    return [Block(*pair, *place) for pair, place in zip(chosen, places[trays:], strict=True)], squares


def _table(own: Split, jobs: Sequence[str], rng: np.random.Generator) -> Table | None:
    kind = jobs[rng.integers(len(jobs))]
    drawn = draw_things(own, 2, rng)
    if drawn is None or (kind == "turn" and drawn[0][0].shape not in TURNED):
        return None
    blocks, trays = drawn
    shape, colour, tray = blocks[0].shape, blocks[0].colour, int(rng.integers(2))
    job = {
        "put": Job("put", colour, shape, tray),
        "put_all": Job("put_all", colour, tray=tray),
        "put_others": Job("put_others", colour, tray=tray),
        "turn": Job("turn", colour, shape, turn=float(rng.integers(1, 4)) / 4),
    }[kind]
    return Table(tuple(blocks[number] for number in rng.permutation(len(blocks))), tuple(trays), job)


def _places(trays: int, things: int, rng: np.random.Generator) -> list[tuple[float, float]] | None:
    """Draws places of trays, then of things, none of which touch; None where it got too narrow."""
    found: list[tuple[float, float]] = []
    for number in range(trays + things):
        edge = TRAY / 2 if number < trays else THING / 2
        for _ in range(30):
            place = tuple(float(one) for one in rng.uniform(edge, 1 - edge, 2))
            own = _APART + (TRAY / 3 if number < trays else 0)
            gaps = [own + (TRAY / 2 if other < trays else 0) for other in range(number)]
            if all(math.dist(place, there) > gap for there, gap in zip(found, gaps, strict=True)):
                found.append(place)
                break
        else:
            return None
    return found
