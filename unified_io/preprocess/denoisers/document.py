"""Interleaved documents: paragraphs and pictures in order, one of which is asked for, given those before it."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.preprocess.denoisers.chances import draw
from unified_io.preprocess.denoisers.objective import Objective
from unified_io.preprocess.denoisers.parts import TEXT, Mark, Parts, Unit, picture

IMAGE = "image"


@dataclasses.dataclass(frozen=True, eq=False)
class Document:
    """Paragraphs (strings) and pictures (pixels) in the order of reading; empty ones are left out."""

    items: tuple[str | Float[np.ndarray, "h w 3"], ...]

    def __post_init__(self):
        items = [item.strip() if isinstance(item, str) else picture(item) for item in self.items]
        items = tuple(item for item in items if item is not None and len(item))
        if not items:
            raise DataError("a document has neither paragraphs nor pictures; give at least one")
        object.__setattr__(self, "items", items)


def sample(document: Document, objective: Objective, seed: int | np.random.Generator) -> dict[str, Any]:
    """Draws a picture or a paragraph of a document and asks for it.

    A picture has up to `history` earlier ones beside it, a paragraph one more: the last of them is the input.

        items     photo | "a dog runs" | photo | "it jumps over the fence"
        inputs    [Text] [S] <image_history_1> a dog runs <image_input>
        targets   it jumps over the fence

    Args:
      document: The record.
      objective: What is asked, and how often.
      seed: The same seed gives the same example.

    Raises:
      DataError: It holds nothing that could be asked for.
    """
    rng = np.random.default_rng(seed)
    items = document.items
    places = {
        TEXT: [index for index, item in enumerate(items) if isinstance(item, str)],
        IMAGE: [index for index, item in enumerate(items) if not isinstance(item, str)],
    }
    while weights := {kind: w for kind, w in objective.targets.items() if w > 0 and places.get(kind)}:
        target = draw(weights, rng)
        index = places[target].pop(rng.integers(len(places[target])))
        parts = _parts(items, index, objective)
        if target in parts.names and objective.paradigms(parts, target):
            return objective.sample(parts, rng, target)
    raise DataError(
        f"nothing can be asked of a document of {len(items)} items; targets are {dict(objective.targets)}; it needs a "
        "paragraph of two words, a picture of two patches, or two items"
    )


def _parts(items: tuple[Any, ...], index: int, objective: Objective) -> Parts:
    """What an item can be asked for with: itself, the earlier text and the latest of the earlier pictures."""
    asked = items[index]
    earlier = [place for place in range(index) if not isinstance(items[place], str)]
    if isinstance(asked, str):
        given = earlier[-(objective.history + 1) :]
        marks = {place: Mark(IMAGE, count) for count, place in enumerate(given, 1)}
        if given:
            marks[given[-1]] = Mark(IMAGE)
        media = {IMAGE: items[given[-1]]} if given else {}
        history = {IMAGE: [items[place] for place in given[:-1]]}
        words = objective.text.cut(asked, objective.text.room - len(given), space=_space(items, index))
        return Parts(words, _context(items, index, marks, objective), media, history)
    given = earlier[-objective.history :]
    marks = {place: Mark(IMAGE, count) for count, place in enumerate(given, 1)}
    units = (*_context(items, index, marks, objective), Mark(IMAGE))
    return Parts(units, media={IMAGE: asked}, history={IMAGE: [items[place] for place in given]})


def _context(
    items: tuple[Any, ...], index: int, marks: dict[int, Mark], objective: Objective
) -> tuple[Unit, ...]:
    """The words before an item, the nearest ones where they are many, with the marks of the pictures among them."""
    room = objective.text.room - len(marks) - 1
    units: list[Unit] = []
    for place in reversed(range(index)):
        if place in marks:
            units.append(marks[place])
        elif isinstance(items[place], str) and room > 0:
            words = objective.text.cut(items[place], room, at=1.0, space=_space(items, place))
            room -= sum(word.size for word in words)
            units += reversed(words)
    return tuple(reversed(units))


def _space(items: tuple[Any, ...], index: int) -> str:
    """What stands in front of a paragraph: a new line behind another one."""
    return "\n" if index and isinstance(items[index - 1], str) else " "
