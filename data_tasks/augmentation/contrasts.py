"""Questions that one of two things answers, each shown in a modality of its own, and sides changed over as a whole.

Knows no medium and no language model.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from unified_io.dialog.turns import Dialog, Medium, bot, user
from unified_io.errors import DataError

NAMES = ("Entity A", "Entity B")
PLACES = ("first", "second")
NAME = re.compile(r"\bentity ([ab])\b", re.IGNORECASE)


class Side(NamedTuple):
    """One of two things.

    Attributes:
      id: What its media are found by.
      caption: What describes it.
      properties: What a language model says of it.
    """

    id: str
    caption: str
    properties: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Contrast:
    """A question about two things, only one of which answers it.

    Attributes:
      question: It names neither.
      answer: 0 for the first, 1 for the second.
      explanation: Why; it calls them Entity A and Entity B.
      sides: The two.
    """

    question: str
    answer: int
    explanation: str
    sides: tuple[Side, Side]

    def swapped(self) -> "Contrast":
        """Returns the same with the sides changed over, and with them label, captions, media and names."""
        letters = {"a": NAMES[1], "b": NAMES[0]}
        explanation = NAME.sub(lambda name: letters[name[1].lower()], self.explanation)
        return Contrast(self.question, 1 - self.answer, explanation, (self.sides[1], self.sides[0]))

    def dialog(self, kinds: tuple[str, str], media: Mapping[str, Mapping[str, Any]]) -> Dialog:
        """Returns the question as a conversation about media: each side in a modality of its own.

        Args:
          kinds: Modality of the first and of the second.
          media: Modality -> id -> the medium.

        Raises:
          DataError: A medium is missing, or both modalities are one, by whose name no side could be called.
        """
        if kinds[0] == kinds[1]:
            raise DataError(f"both sides are shown as {kinds[0]!r}; want two modalities")
        for kind, side in zip(kinds, self.sides, strict=True):
            if side.id not in media.get(kind, {}):
                raise DataError(f"there is no {kind!r} of {side.id!r}; give one, or leave the question out")
        shown = (Medium(kind, media[kind][side.id]) for kind, side in zip(kinds, self.sides, strict=True))
        return Dialog((user(*shown, self.question), bot(PLACES[self.answer])))


def balanced(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """Returns them with the right side first in every other one; whole contrasts are swapped, never parts."""
    return [one if one.answer == index % 2 else one.swapped() for index, one in enumerate(contrasts)]
