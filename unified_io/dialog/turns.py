"""Who says what, with media anywhere in the words. Knows no kind of medium and no language model."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from unified_io.errors import DataError, unknown

USER, BOT = "user", "bot"
ROLES = (USER, BOT)


@dataclasses.dataclass(frozen=True)
class Medium:
    """A picture, a sound or whatever else stands between words.

    Attributes:
      kind: Name of its modality.
      value: What the modality reads: a path, bytes, an array.
      segment: Which of its frames or clips stands here; None is all of them.
    """

    kind: str
    value: Any
    segment: int | None = None


Part = str | Medium


@dataclasses.dataclass(frozen=True)
class Message:
    """One turn. Its parts stand side by side as they are: blanks between them are the author's.

    Attributes:
      role: One of ROLES.
      parts: Words and media in order.
    """

    role: str
    parts: tuple[Part, ...]

    def __post_init__(self):
        object.__setattr__(self, "parts", _parts(self.parts))

    @property
    def text(self) -> str:
        """The words, without the media."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def media(self) -> tuple[Medium, ...]:
        """The media, without the words."""
        return tuple(part for part in self.parts if isinstance(part, Medium))


@dataclasses.dataclass(frozen=True)
class Dialog:
    """A conversation.

    Attributes:
      messages: The turns, the first one being turn 0.
      system: What is said before all turns, words and media.
      name: What errors call it.

    Raises:
      DataError: There is no turn, or one is empty, lacks its medium, or is a medium of the bot, which writes words.
      ConfigError: A role is unknown.
    """

    messages: tuple[Message, ...]
    system: tuple[Part, ...] = ()
    name: str = ""

    def __post_init__(self):
        object.__setattr__(self, "messages", tuple(self.messages))
        object.__setattr__(self, "system", _parts(self.system))
        if not self.messages:
            raise DataError(f"dialog {self.name!r} has no turn; give it one, or leave it out")
        _check_media(self.system, "system message" + (f" of dialog {self.name!r}" if self.name else ""))
        for turn, message in enumerate(self.messages):
            if message.role not in ROLES:
                raise unknown(f"role in {self.turn(turn)}", message.role, ROLES)
            _check_media(message.parts, self.turn(turn))
            if not message.media and not message.text.strip():
                raise DataError(f"{self.turn(turn)} is empty; give it words or a medium, or leave it out")
            if message.role == BOT and message.media:
                raise DataError(
                    f"{self.turn(turn)} is a bot's and holds {message.media[0].kind!r}; a bot answers in words, so "
                    "put the medium into a turn of the user"
                )

    def turn(self, index: int) -> str:
        """What errors call a turn."""
        return f"turn {index}" + (f" of dialog {self.name!r}" if self.name else "")

    @property
    def media(self) -> tuple[Medium, ...]:
        """All media in order, those of the system message first."""
        return (*Message(USER, self.system).media, *(m for message in self.messages for m in message.media))


def user(*parts: Part) -> Message:
    """Returns a turn of the user: user("What is in ", Medium("image", "a.png"), "?")."""
    return Message(USER, parts)


def bot(text: str) -> Message:
    """Returns a turn of the bot."""
    return Message(BOT, (text,))


def rounds(dialog: Dialog) -> list[Dialog]:
    """Returns one dialog for every turn of the bot, which ends with it: history, question, answer.

    user 1, bot 1, user 2, bot 2  ->  [user 1, bot 1], [user 1, bot 1, user 2, bot 2]

    Raises:
      DataError: The bot says nothing.
    """
    ends = [turn + 1 for turn, message in enumerate(dialog.messages) if message.role == BOT]
    if not ends:
        raise DataError(
            f"dialog {dialog.name!r} has no turn of the bot, so there is nothing to learn; leave it out"
        )
    return [dataclasses.replace(dialog, messages=dialog.messages[:end]) for end in ends]


def merged(dialog: Dialog, between: str = " ") -> Dialog:
    """Makes neighbouring turns of one role one, for formats in which roles must alternate.

    Args:
      dialog: Any one.
      between: What is put where words would meet words.
    """
    found: list[Message] = []
    for message in dialog.messages:
        if not found or found[-1].role != message.role:
            found.append(message)
            continue
        last = found.pop()
        meet = isinstance(last.parts[-1], str) and isinstance(message.parts[0], str)
        found.append(Message(last.role, (*last.parts, *((between,) if meet else ()), *message.parts)))
    return dataclasses.replace(dialog, messages=tuple(found))


def _parts(given: str | Sequence[Part]) -> tuple[Part, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _check_media(parts: Sequence[Part], where: str) -> None:
    for part in parts:
        if not isinstance(part, str | Medium):
            raise DataError(f"{where} holds {part!r} of type {type(part).__name__}; want words or a Medium")
        if isinstance(part, Medium) and part.value is None:
            raise DataError(f"{where} lacks its {part.kind!r}; give its file, or take it out of the turn")
