"""Which states belong to which split, so that no state of a test was trained on.

i    `test` and `validation`: other seeds than training, and other content. The hash of a state's content says which of
     the three it belongs to, whatever its seed: what is drawn for one of them and belongs to another is drawn again.
ii   `novel_pair`: six pairs of shape and colour are in no state and no text of the splits above.
iii  `novel_shape`: nor is the capsule.
iv   `more_things`: five or six things, one to four in training.
v    `novel_wording`: told in grammars, words and fonts that training never uses.

All tests share the hashes of `test`, so that what becomes of a state by a command or in a clip is theirs, too.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np

from data_tasks.toy.lettering import FONTS, HELD_OUT_FONT, HELD_OUT_WORDS, WORDS
from data_tasks.toy.plan import Plan, draw
from data_tasks.toy.scene import COLOURS, SHAPES, State, content_hash
from unified_io.errors import unknown

HELD_OUT_SHAPE = "capsule"
HELD_OUT_PAIRS = (
    ("sphere", "green"),
    ("cube", "purple"),
    ("cylinder", "yellow"),
    ("cone", "blue"),
    ("pyramid", "red"),
    ("sphere", "orange"),
)
KNOWN_SHAPES = tuple(shape for shape in SHAPES if shape != HELD_OUT_SHAPE)
KNOWN_PAIRS = tuple(
    (shape, colour) for shape in KNOWN_SHAPES for colour in COLOURS if (shape, colour) not in HELD_OUT_PAIRS
)
ALL_PAIRS = tuple((shape, colour) for shape in SHAPES for colour in COLOURS)
_CAPSULES = tuple((HELD_OUT_SHAPE, colour) for colour in COLOURS)

_WORLD = 20_261  # part of every seed
_BUCKETS = 10


@dataclasses.dataclass(frozen=True)
class Split:
    """What a split may hold.

    Attributes:
      number: Part of its seeds; no two splits share one.
      buckets: Tenths of all content hashes that belong to it.
      pairs: (shape, colour) in its states and texts.
      must: One thing of every state is one of these.
      count: Fewest and most things; a view may ask for fewer.
      held_out: Whether texts are told in the held-out grammars, words and fonts.
    """

    number: int
    buckets: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...] = KNOWN_PAIRS
    must: tuple[tuple[str, str], ...] = ()
    count: tuple[int, int] = (1, 4)
    held_out: bool = False

    @property
    def shapes(self) -> tuple[str, ...]:
        """Shapes it speaks of."""
        return tuple(shape for shape in SHAPES if any(shape == pair[0] for pair in self.pairs))

    def owns(self, states: Iterable[State]) -> bool:
        """Whether all of these states belong to it: by their hash, and by what things they hold."""
        return all(bucket(state) in self.buckets and self._knows(state) for state in states)

    def _knows(self, state: State) -> bool:
        return all((state.things[n].shape, state.things[n].colour) in self.pairs for n in state.present)

    def plan(self, **changes: object) -> Plan:
        """Returns what to draw for it."""
        words, fonts = (HELD_OUT_WORDS, (HELD_OUT_FONT,)) if self.held_out else (WORDS, range(len(FONTS)))
        fonts = tuple(font for font in fonts if self.held_out or font != HELD_OUT_FONT)
        own = {"pairs": self.pairs, "must": self.must, "count": self.count, "fonts": fonts}
        if changes.pop("board", False):
            own["words"] = words
        return Plan(**(own | changes))

    def draw(self, rng: np.random.Generator, **changes: object) -> State:
        """Draws a state that belongs to it, with changes to its plan."""
        return draw(self.plan(**changes), rng, lambda state: self.owns([state]))


SPLITS = {
    "train": Split(0, tuple(range(8))),
    "validation": Split(1, (8,)),
    "test": Split(2, (9,)),
    "novel_pair": Split(3, (9,), KNOWN_PAIRS + HELD_OUT_PAIRS, HELD_OUT_PAIRS),
    "novel_shape": Split(4, (9,), KNOWN_PAIRS + _CAPSULES, _CAPSULES),
    "more_things": Split(5, (9,), count=(5, 6)),
    "novel_wording": Split(6, (9,), held_out=True),
}

# A model that has read nothing but the toy world knows no other words: only this split asks in wordings of its own.
REWORDED = ("novel_wording",)


def split(name: str) -> Split:
    """Returns a split.

    Raises:
      ConfigError: There is none of that name.
    """
    if name not in SPLITS:
        raise unknown("split of the toy world", name, SPLITS)
    return SPLITS[name]


def bucket(state: State) -> int:
    """Returns the tenth of all content that a state belongs to."""
    return int(content_hash(state), 16) % _BUCKETS


def generator(name: str, index: int, purpose: str) -> np.random.Generator:
    """Returns the generator of one example of a split."""
    return np.random.default_rng([_WORLD, split(name).number, index, *purpose.encode()])
