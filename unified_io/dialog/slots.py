"""Media into words: where a text has slots for them, or segment by segment. Knows no kind of medium."""

import dataclasses
import re
from collections.abc import Sequence

from unified_io.dialog.turns import Medium, Part
from unified_io.errors import DataError


def place(text: str, media: Sequence[Medium], slot: str = "<{kind}>") -> tuple[Part, ...]:
    """Puts media where their slots are in a text, each kind in order.

    place("Is <image> like <image>?", [a, b])  ->  ("Is ", a, " like ", b, "?")

    Args:
      text: With a slot for each medium; what looks like the slot of a kind that is not given is text.
      media: Any number.
      slot: How a slot is written.

    Raises:
      DataError: There are more media of a kind than slots, or fewer.
    """
    kinds = {slot.format(kind=medium.kind): medium.kind for medium in media}
    if not kinds:
        return (text,)
    pieces = re.split("(" + "|".join(sorted(map(re.escape, kinds), key=len, reverse=True)) + ")", text)
    for written, kind in kinds.items():
        have, want = sum(medium.kind == kind for medium in media), pieces.count(written)
        if have != want:
            raise DataError(
                f"{have} media of kind {kind!r} for {want} slots {written} in {text[:60]!r}; give as many of one as of "
                "the other"
            )
    queues = {kind: iter([m for m in media if m.kind == kind]) for kind in kinds.values()}
    return tuple(next(queues[kinds[piece]]) if piece in kinds else piece for piece in pieces if piece)


def interleaved(media: Sequence[Medium], segments: int) -> tuple[Medium, ...]:
    """Returns media segment by segment: the first frame of each, then the second one of each.

    Args:
      media: Such as a video and its sound.
      segments: How many each of them has.
    """
    return tuple(dataclasses.replace(m, segment=segment) for segment in range(segments) for m in media)
