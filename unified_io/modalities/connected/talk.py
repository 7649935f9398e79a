"""An example as a conversation: its words, and for every medium the place where it stands among them."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from unified_io.dialog.turns import USER, Dialog, Medium, Message, Part
from unified_io.errors import DataError
from unified_io.vocab import PREFIXES

QUESTION, BEFORE = "text_inputs", "dialog_inputs"
# Of every kind of medium the fields that hold it, those of several first.
MEDIA: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "image": (("image_history_inputs",), ("image_inputs",)),
    "video": ((), ("video_inputs",)),
    "audio": (("audio_history_inputs",), ("audio_inputs",)),
    "point_cloud": ((), ("point_cloud_inputs",)),
    "imu": ((), ("imu_inputs",)),
}
_SLOT = re.compile(f"(<(?:{'|'.join(MEDIA)})>)")


def media_of(example: Mapping[str, Any], kind: str) -> list[Any]:
    """Returns the media of a kind in the order in which they are told: earlier ones first, absent ones left out.

    A field that is a list holds several.
    """
    several, single = MEDIA[kind]
    found = [item for field in several for item in _present(example, field)]
    for field in single:
        value = _present(example, field)
        found += value if isinstance(value, list) else [value] * bool(len(value))
    return found


def plain(text: str) -> str:
    """Parts what would be read as a slot, so that what somebody says is words.

    plain("an <image> tag") = "an < image> tag"
    """
    return _SLOT.sub(lambda slot: f"< {slot[0][1:]}", text)


def conversation(example: Mapping[str, Any], system: str = "") -> Dialog:
    """Returns an example as a conversation that ends with its question; media are numbered within their kind.

    Words hold slots such as <image>, which media fill in order; those of a kind without any slot stand in front of the
    last question.

    Args:
      example: Raw fields: `text_inputs`, and `dialog_inputs` with what was said before, a JSON object of "messages"
        (each a role and its text) and a "system" message of its own.
      system: What is said before all turns where the example does not say it.

    Raises:
      DataError: The turns can not be read, or there are more or fewer media of a kind than slots; names the turn.
    """
    told = _told(str(example.get(BEFORE) or ""))
    turns = [*told.get("messages", []), {"role": USER, "text": _question(example)}]
    media = {kind: [Medium(kind, i) for i in range(len(media_of(example, kind)))] for kind in MEDIA}
    waiting = {kind: list(found) for kind, found in media.items()}
    begin = _filled(told.get("system", system), "the system message", waiting)
    said = [_filled(turn["text"], f"turn {at}", waiting) for at, turn in enumerate(turns)]
    for kind, left in waiting.items():
        if 0 < len(left) < len(media[kind]):
            raise DataError(
                f"{len(media[kind])} media of kind {kind!r} but slots <{kind}> for {len(media[kind]) - len(left)}; "
                "write a slot for every one of them, or none at all"
            )
    front = [medium for left in waiting.values() for medium in left]
    said[-1] = (*front, *said[-1])
    messages = [Message(turn["role"], parts) for turn, parts in zip(turns, said, strict=True)]
    return Dialog(tuple(messages), begin, str(example.get("meta/id", "")))


def fields_of(dialog: Dialog) -> dict[str, str]:
    """Returns the words of a conversation that ends with a question, with a slot for every medium.

    The inverse of `conversation`, given the same media; but blanks around the question are gone, and words that spell a
    slot are parted.

    Raises:
      DataError: It ends with the bot.
    """
    *before, question = dialog.messages
    if question.role != USER:
        raise DataError(
            f"{dialog.turn(len(before))} is of the {question.role}; want a question, so end with the user"
        )
    told: dict[str, Any] = {"messages": [{"role": m.role, "text": _slotted(m.parts)} for m in before]}
    if dialog.system:
        told["system"] = _slotted(dialog.system)
    return {
        QUESTION: _slotted(question.parts),
        BEFORE: json.dumps(told) if before or dialog.system else "",
    }


def order(example: Mapping[str, Any], kind: str) -> Int[np.ndarray, " media"]:
    """Says of every medium of a kind how many media of any kind stand before it."""
    places = {
        medium.value: at for at, medium in enumerate(conversation(example).media) if medium.kind == kind
    }
    return np.array([places[i] for i in range(len(places))], np.int32)


def _filled(text: str, where: str, waiting: Mapping[str, list[Medium]]) -> tuple[Part, ...]:
    """Fills the slots of one text with the next media, which are taken away."""
    parts: list[Part] = []
    for piece in filter(None, _SLOT.split(text)):
        if not _SLOT.fullmatch(piece):
            parts.append(piece)
            continue
        if not (media := waiting[piece[1:-1]]):
            raise DataError(
                f"{where} lacks the medium of a slot {piece}; give one more, or take the slot out"
            )
        parts.append(media.pop(0))
    return tuple(parts)


def _slotted(parts: Sequence[Part]) -> str:
    return "".join(plain(part) if isinstance(part, str) else f"<{part.kind}>" for part in parts)


def _question(example: Mapping[str, Any]) -> str:
    text = str(example.get(QUESTION) or "")
    prefix = next((prefix for prefix in PREFIXES if text.startswith(prefix)), "")
    return text.removeprefix(prefix).strip()


def _present(example: Mapping[str, Any], field: str) -> Any:
    value = example.get(field)
    return value if value is not None and len(value) else ()


def _told(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        told = json.loads(text)
        for turn, message in enumerate(told.get("messages", [])):
            if not isinstance(message["role"], str) or not isinstance(message["text"], str):
                raise DataError(f"turn {turn} of {BEFORE} is {message!r}; want a role and a text")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f'{BEFORE} is {text[:60]!r}; want JSON such as {{"messages": [{{"role": "user", "text": "…"}}]}} ({error})'
        ) from error
    return told
