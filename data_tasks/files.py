"""A single file, or a folder of media, as a dataset, told by its ending; and raw fields under our own names."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture, Sound
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.record import CANONICAL
from data_tasks.sources.records import Records
from data_tasks.sources.stored import Make, Record, Stored
from data_tasks.sources.tar import TarShards
from unified_io.errors import DataError, unknown

KINDS: dict[str, Callable[[str, str], Stored]] = {
    **dict.fromkeys((".jsonl", ".csv", ".tsv"), Lines),
    **dict.fromkeys((".jsonl.gz", ".csv.gz", ".tsv.gz"), Lines),
    ".parquet": Parquet,
    ".tar": TarShards,
    **dict.fromkeys((".tfrecord", ".array_record", ".arrayrecord"), Records),
}
"""How a file is stored, by its ending: of the dataset's name and the pattern of its files."""

_PICTURES, _SOUNDS = (".png", ".jpg", ".jpeg", ".webp", ".bmp"), (".wav", ".flac", ".mp3", ".ogg")
_MEDIA = {**dict.fromkeys(_PICTURES, "image"), **dict.fromkeys(_SOUNDS, "audio")}


def of_file(path: Path) -> Stored:
    """Returns one file, or a folder of media, as a dataset that lies in the folder around it.

    Raises:
      DataError: There is no such file, or nobody can read one of its kind.
    """
    if path.is_dir():
        return MediaFolder(path.name)
    if not path.is_file():
        raise DataError(f"no file {path}; give one, or a folder of media")
    ending = next((ending for ending in KINDS if path.name.endswith(ending)), None)
    if ending is None:
        raise unknown("kind of file", path.suffix or path.name, KINDS)
    return KINDS[ending]("", path.name.replace("{", "{{").replace("}", "}}"))


@dataclasses.dataclass(frozen=True)
class MediaFolder(Stored):
    """Pictures and sounds, each with the words beside it, or with the folder that it lies in as its class.

    seven/1.png         -> {"image": "seven/1.png", "name": "seven"}
    1.png and 1.txt     -> {"image": "1.png", "captions": ["what is in 1.txt", "a line each"]}
    """

    def length(self, folder: Path, split: str) -> int:
        return len(self._media(folder))

    def record(self, folder: Path, split: str, index: int) -> Record:
        path = self._media(folder)[index]
        record: Record = {_MEDIA[path.suffix.lower()]: str(path.relative_to(folder))}
        if path.parent != folder / self.name:
            record["name"] = path.parent.name
        words = path.with_suffix(".txt")
        if words.is_file():
            try:
                lines = words.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"{words} can not be read: {error}") from error
            record["captions"] = [line for line in lines if line.strip()]
        return record

    def _media(self, folder: Path) -> list[Path]:
        found = sorted(
            path
            for path in (folder / self.name).rglob("*")
            if path.suffix.lower() in _MEDIA and path.is_file()
        )
        if not found:
            raise DataError(
                f"no picture and no sound in {folder / self.name}; endings are {', '.join(_MEDIA)}"
            )
        return found


def own_names(keys: Iterable[str]) -> dict[str, str | Make]:
    """Returns the mapping of a record whose fields have the names of CANONICAL already.

    Raises:
      ConfigError: One has another name.
    """
    makers = {"image": Picture, "mel": Sound}

    def make(key: str) -> str | Make:
        if key not in CANONICAL:
            raise unknown("raw field", key, CANONICAL)
        maker: Any = makers.get(CANONICAL[key].kind)
        return maker(key) if maker else key

    return {key: make(key) for key in keys}


def renamed(record: Record) -> Record:
    """Returns a record of a tar file, whose fields are called by the endings of its members, under our own names.

    {"key": "7", "jpg": b"…", "txt": "a rose"} -> {"id": "7", "image": b"…", "captions": "a rose"}
    """
    told = record.get("json", {})
    members = {**record, **(told if isinstance(told, dict) else {})}
    members.pop("json", None)
    names = {"key": "id", "txt": "captions", "caption": "captions"}
    return {names.get(key) or _MEDIA.get(f".{key}", key): value for key, value in members.items()}
