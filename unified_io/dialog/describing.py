"""Describe first: a model tells what it is shown before it answers. Knows no model, only how to ask one."""

import dataclasses
from collections.abc import Callable

from unified_io.dialog.turns import USER, Dialog, Message, bot, user
from unified_io.errors import DataError

REQUEST = "Give a detailed description of this."


def describe_first(dialog: Dialog, ask: Callable[[Dialog], str], request: str = REQUEST) -> Dialog:
    """Asks for a description of the media in the last turn, and then what was to be asked.

        user(image, "Is it in bloom?")

    becomes, with two calls of `ask`,

        user(image, request), bot(description), user("Is it in bloom?"), bot(answer)

    Args:
      dialog: Ends with a turn of the user that holds media and words.
      ask: Answers the last turn of a conversation; description and question may be decoded differently, told by
        how many turns there are.
      request: The words that ask for a description.

    Raises:
      DataError: The last turn is not of the user, or has no media, or no words; or a model says nothing.

    Source: the two-step inference of Lynx.
    """
    last, place = dialog.messages[-1], dialog.turn(len(dialog.messages) - 1)
    if last.role != USER or not last.media or not last.text.strip():
        raise DataError(
            f"{place} is no question about media; want a turn of the user with both media and words"
        )
    shown = dataclasses.replace(dialog, messages=(*dialog.messages[:-1], user(*last.media, request)))
    described = _answered(shown, ask)
    question = Message(USER, (last.text.strip(),))
    return _answered(dataclasses.replace(described, messages=(*described.messages, question)), ask)


def _answered(dialog: Dialog, ask: Callable[[Dialog], str]) -> Dialog:
    return dataclasses.replace(dialog, messages=(*dialog.messages, bot(ask(dialog))))
