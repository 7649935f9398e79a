"""A conversation as what a language model reads, piece by piece. Knows no tokenizer and no kind of medium."""

import dataclasses
import re

from unified_io.dialog.formats import ChatFormat
from unified_io.dialog.turns import BOT, USER, Dialog, Medium, Message, Part
from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True)
class Text:
    """Words. They are never to be read as tokens of the format, whatever they spell.

    Attributes:
      text: The words; as much as stands between two other pieces, to be tokenized as one.
      answer: Whether the bot writes them, so that they can be learned.
    """

    text: str
    answer: bool = False


@dataclasses.dataclass(frozen=True)
class Token:
    """One token of the format.

    Attributes:
      name: Its spelling.
      answer: Whether the bot writes it, so that it can be learned.
    """

    name: str
    answer: bool = False


@dataclasses.dataclass(frozen=True)
class Slot:
    """The place of a medium, to be filled with what its connector gives.

    Attributes:
      medium: What stands here.
      placeholder: The token that the tokenizer has for it; "" for none.
    """

    medium: Medium
    placeholder: str = ""


Segment = Text | Token | Slot


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A conversation in pieces.

    Attributes:
      prompt: All that is given before the last answer.
      answer: The last answer with its end; empty where it is still to be written.
    """

    prompt: tuple[Segment, ...]
    answer: tuple[Segment, ...]

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All pieces in order. Earlier answers are among them, marked as such."""
        return (*self.prompt, *self.answer)

    @property
    def media(self) -> tuple[Medium, ...]:
        """The media in order."""
        return tuple(segment.medium for segment in self.segments if isinstance(segment, Slot))

    def __str__(self) -> str:
        return "".join(map(_spelled, self.segments))


def render(dialog: Dialog, format: ChatFormat) -> Rendered:
    """Writes a conversation in a format. One that ends with the user becomes the prompt of an answer to come.

    VICUNA of user("What is ", image, "?"), bot("A rose."):

        prompt  <s> "USER: What is " image "? ASSISTANT:"
        answer  " A rose." </s>

    Raises:
      DataError: The format can not say it; names the turn.
    """
    _check(dialog, format)
    writing = _Writing(format)
    for medium in dialog.media if format.media.at == "first" else ():
        writing.medium(medium)
    writing.mark(format.begin)
    if dialog.system and not format.system_inside:
        writing.between(format.system, dialog.system)
    start = 0
    for turn, message in enumerate(dialog.messages):
        if message.role == BOT:
            writing.mark(format.bot[0])
            start = writing.count()
            writing.mark(format.lead, answer=True)
            writing.parts(message.parts, answer=True)
            writing.mark(format.bot[1], answer=True)
            continue
        writing.mark(format.user[0])
        if turn == 0 and dialog.system and format.system_inside:
            writing.between(format.system, dialog.system)
        writing.parts(message.parts)
        writing.mark(format.user[1])
    if dialog.messages[-1].role == USER:
        writing.mark(format.bot[0])
        start = writing.count()
    return Rendered(tuple(writing.segments[:start]), tuple(writing.segments[start:]))


class _Writing:
    """Segments in the making: neighbouring words become one piece, unless only one is the bot's."""

    def __init__(self, format: ChatFormat):
        self.format, self.segments = format, list[Segment]()
        self._seen = 0
        self._tokens = re.compile(
            "(" + "|".join(sorted(map(re.escape, format.tokens), key=len, reverse=True)) + ")"
        )

    def count(self) -> int:
        return len(self.segments)

    def mark(self, text: str, answer: bool = False) -> None:
        for piece in filter(None, self._tokens.split(text)):
            if piece in self.format.tokens:
                self.segments.append(Token(piece, answer))
            else:
                self._words(piece, answer)

    def between(self, marks: tuple[str, str], parts: tuple[Part, ...]) -> None:
        self.mark(marks[0])
        self.parts(parts)
        self.mark(marks[1])

    def parts(self, parts: tuple[Part, ...], answer: bool = False) -> None:
        if self.format.media.at != "inline":
            parts = tuple(sorted(parts, key=lambda part: isinstance(part, str)))
        for part in parts:
            if isinstance(part, str):
                self._words(part.lower() if self.format.lower else part, answer)
            elif self.format.media.at != "first":
                self.medium(part)

    def medium(self, medium: Medium) -> None:
        style = self.format.media
        self._seen += 1
        self._words(style.fill(style.cue, medium.kind, self._seen), False)
        self.mark(style.around[0])
        self.segments.append(Slot(medium, style.fill(style.placeholder, medium.kind, self._seen)))
        self.mark(style.around[1])

    def _words(self, text: str, answer: bool) -> None:
        if not text:
            return
        last = self.segments[-1] if self.segments else None
        if isinstance(last, Text) and last.answer == answer:
            self.segments[-1] = Text(last.text + text, answer)
        else:
            self.segments.append(Text(text, answer))


def _check(dialog: Dialog, format: ChatFormat) -> None:
    for turn, message in enumerate(dialog.messages):
        if format.alternate and message.role != (USER, BOT)[turn % 2]:
            before = f"after one of the {dialog.messages[turn - 1].role}" if turn else "at the beginning"
            raise DataError(
                f"{dialog.turn(turn)} is of the {message.role} {before}, which this format can not say; take turns, or "
                "make neighbours one with dialog.turns.merged"
            )
        if format.one_round and turn > 1:
            raise DataError(
                f"{dialog.turn(turn)} is one too many: this format has one question and its answer; take the first of "
                "dialog.turns.rounds, or a format with roles"
            )
        _check_words(message, dialog.turn(turn), format)
    _check_words(Message(USER, dialog.system), "system message", format)


def _check_words(message: Message, where: str, format: ChatFormat) -> None:
    for mark in format.reserved:
        if mark in message.text:
            raise DataError(
                f"{where} says {mark!r}, which would be read as a mark of the format; take it out"
            )


def _spelled(segment: Segment) -> str:
    match segment:
        case Text():
            return segment.text
        case Token():
            return segment.name
        case Slot():
            return segment.placeholder or f"<{segment.medium.kind}>"
