"""Variety for training: media before or after their question, in any order, and short conversations made longer.

Whatever is drawn comes from the generator that is handed in. Knows no kind of medium and no format.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from unified_io.dialog.turns import USER, Dialog, Medium, Message


def moved(dialog: Dialog, rng: np.random.Generator) -> Dialog:
    """Puts media before or after their question, each with an equal chance.

    Where the user speaks several times in a row, whole turns of media only change places with the others; else the
    media of a turn do with its words. Media that stand between words stay where they are.
    """
    found: list[Message] = []
    run: list[Message] = []
    for message in (*dialog.messages, None):
        if message is not None and message.role == USER:
            run.append(message)
            continue
        found.extend(_either([_turned(m, rng) for m in run], lambda m: not m.text.strip(), rng))
        run = []
        if message is not None:
            found.append(message)
    return dataclasses.replace(dialog, messages=tuple(found))


def shuffled(dialog: Dialog, rng: np.random.Generator) -> Dialog:
    """Puts the media of every turn in any order, on the places they have."""

    def mixed(message: Message) -> Message:
        media = message.media
        order = iter([media[i] for i in rng.permutation(len(media))])
        return Message(
            message.role, tuple(next(order) if isinstance(p, Medium) else p for p in message.parts)
        )

    return dataclasses.replace(dialog, messages=tuple(map(mixed, dialog.messages)))


def joined(
    dialogs: Sequence[Dialog], length: Callable[[Dialog], int], most: int, rng: np.random.Generator
) -> list[Dialog]:
    """Joins whole conversations in any order into ones as long as they may be.

    Only those with the same system message are joined. One that is too long by itself stays as it is.

    Args:
      dialogs: Any number.
      length: Of a conversation, such as its tokens.
      most: The greatest length of what is joined.
      rng: Draws the order.
    """
    found: list[Dialog] = []
    last: dict[tuple, int] = {}  # system message -> which one of `found` may still grow
    for index in rng.permutation(len(dialogs)):
        dialog = dialogs[index]
        key = tuple(part if isinstance(part, str) else id(part) for part in dialog.system)
        if key in last:
            before = found[last[key]]
            name = "+".join(filter(None, (before.name, dialog.name)))
            longer = dataclasses.replace(before, messages=before.messages + dialog.messages, name=name)
            if length(longer) <= most:
                found[last[key]] = longer
                continue
        last[key] = len(found)
        found.append(dialog)
    return found


def _turned(message: Message, rng: np.random.Generator) -> Message:
    kinds = [isinstance(part, Medium) for part in message.parts]
    if sum(a != b for a, b in zip(kinds, kinds[1:], strict=False)) > 1:
        return message
    return Message(message.role, tuple(_either(message.parts, lambda part: isinstance(part, Medium), rng)))


def _either(things: Sequence, medium: Callable[..., bool], rng: np.random.Generator) -> list:
    """Media, then words, or words, then media; what is only of one sort draws nothing."""
    media, words = [t for t in things if medium(t)], [t for t in things if not medium(t)]
    if not media or not words:
        return list(things)
    return media + words if rng.integers(2) else words + media
