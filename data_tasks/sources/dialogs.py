"""Conversations in the JSON of S3: one object a dialog, one message a text or a medium. Knows no format of a chat.

{"id": "7", "messages": [{"role": "user", "type": "image", "text": "rose.png"},
                         {"role": "user", "type": "text", "text": "What is it?"},
                         {"role": "bot", "type": "text", "text": "A rose."}]}
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from data_tasks.sources.media import inside
from data_tasks.sources.shards import written
from unified_io.dialog.turns import BOT, ROLES, USER, Dialog, Medium, Message, Part
from unified_io.errors import DataError, UnifiedIOError, unknown

TEXT, SYSTEM = "text", "system"
PAYLOADS = ("text", "content")
"""What the words, or the name of a file, are filed under: by the paper, and by the released code."""


def read(path: Path, kinds: Sequence[str] = ("image", "audio"), system: str = "") -> list[Dialog]:
    """Reads the dialogs of a file: JSON Lines where it is a .jsonl, else a JSON list or one object.

    Files of media are named relative to the file, and lie in its folder.

    Args:
      path: The file.
      kinds: Types that a message may have besides "text".
      system: The system message of dialogs that begin with none of their own.

    Raises:
      DataError: The file, a dialog or a turn is not what it should be; names them.
    """
    found = []
    for where, tree in _trees(path):
        try:
            found.append(_dialog(tree, path.parent, kinds, system))
        except UnifiedIOError as error:
            raise DataError(f"{where} of {path}: {error}") from error
    return found


def write(path: Path, dialogs: Iterable[Dialog]) -> None:
    """Writes dialogs as JSON Lines; `read` gives equal ones back where media are files, each turn being one part.

    Raises:
      DataError: A medium is no file, or a system message holds one.
    """
    lines = [json.dumps(_tree(dialog, path.parent), ensure_ascii=False) + "\n" for dialog in dialogs]
    with written(path) as part:
        part.write_text("".join(lines), encoding="utf-8")


def _trees(path: Path) -> list[tuple[str, Any]]:
    """Every object of a file, and where it is."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can not be read: {error}; give a file of dialogs in UTF-8") from error
    if path.suffix == ".jsonl":
        lines = [(i + 1, line) for i, line in enumerate(text.split("\n")) if line.strip()]
        return [(f"line {number}", _json(line, f"line {number} of {path}")) for number, line in lines]
    tree = _json(text, str(path))
    dialogs = tree if isinstance(tree, list) else [tree]
    return [(f"dialog {index}", dialog) for index, dialog in enumerate(dialogs)]


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is no JSON: {error}") from error


def _dialog(tree: Any, folder: Path, kinds: Sequence[str], system: str) -> Dialog:
    if not isinstance(tree, dict) or not isinstance(tree.get("messages"), list):
        raise DataError(f"{str(tree)[:60]!r} is no dialog; want an object with a list of messages")
    turns = list(tree["messages"])
    if turns and isinstance(turns[0], dict) and turns[0].get("role") == SYSTEM:
        system = str(_part(turns.pop(0), "system message", folder, (), (SYSTEM,)))
    # Turns are counted as in the file, a system message not being one.
    messages = [
        Message(turn["role"], (_part(turn, f"turn {i}", folder, kinds, ROLES),)) for i, turn in _each(turns)
    ]
    return Dialog(tuple(messages), (system,) if system else (), str(tree.get("id", "")))


def _each(turns: list) -> Iterable[tuple[int, dict]]:
    for index, turn in enumerate(turns):
        if not isinstance(turn, dict) or "role" not in turn:
            raise DataError(f"turn {index} is {str(turn)[:60]!r}; want an object with role, type and text")
        yield index, turn


def _part(turn: dict, where: str, folder: Path, kinds: Sequence[str], roles: Sequence[str]) -> Part:
    role, kind = turn["role"], turn.get("type", TEXT)
    if role not in roles:
        raise unknown(f"role in {where}", str(role), roles)
    if kind not in (TEXT, *kinds):
        raise unknown(f"type in {where}", str(kind), (TEXT, *kinds))
    payload = next((turn[key] for key in PAYLOADS if key in turn), None)
    if not isinstance(payload, str) or not payload.strip():
        raise DataError(
            f"{where} holds {payload!r} under {' or '.join(PAYLOADS)}; want words, or the name of a file"
        )
    if kind == TEXT:
        return payload
    if role == BOT:
        raise DataError(f"{where} is a bot's and of type {kind!r}; a bot answers in words")
    path = inside(folder, "", payload)
    if not path.is_file():
        raise DataError(
            f"{where} names {payload!r}, but there is no file {path}; get it, or leave the dialog out"
        )
    return Medium(kind, path)


def _tree(dialog: Dialog, folder: Path) -> dict[str, Any]:
    if dialog.system and not all(isinstance(part, str) for part in dialog.system):
        raise DataError(
            f"the system message of dialog {dialog.name!r} holds a medium, which these files can not say"
        )
    said = [(SYSTEM, "".join(map(str, dialog.system)))] if dialog.system else []
    turns = [*said, *((message.role, part) for message in dialog.messages for part in message.parts)]
    return {"id": dialog.name, "messages": [_written(role, part, folder) for role, part in turns]}


def _written(role: str, part: Part, folder: Path) -> dict[str, str]:
    if isinstance(part, str):
        return {"role": role, "type": TEXT, "text": part}
    if role != USER or not isinstance(part.value, str | os.PathLike) or part.segment is not None:
        raise DataError(f"{part!r} is no whole file; write the media to files first")
    return {
        "role": role,
        "type": part.kind,
        "text": os.path.relpath(Path(part.value).resolve(), folder.resolve()),
    }
