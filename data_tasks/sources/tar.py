"""Datasets in tar files, as webdataset stores them: members of one name, apart from the ending, are one record.

Members are read where they lie; nothing is ever extracted.
"""

import dataclasses
import functools
import io
import json
import posixpath
import tarfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from data_tasks.sources.shards import Sharded, Stamp, written
from data_tasks.sources.stored import Record
from unified_io.errors import DataError

_MOST = 2**30  # bytes of a member
_TEXTS = ("txt", "text", "caption", "transcript")

Members = dict[str, tuple[int, int]]
"""Ending -> where its content begins in the file, and how long it is."""


@dataclasses.dataclass(frozen=True)
class TarShards(Sharded):
    """One record of all members with one name; every ending is a field, "key" the name.

    .json is what it holds, .cls a whole number, .txt text, all others are bytes.

    Attributes:
      pattern: Files of a split below the dataset's folder, {split} and * in it; not compressed.
    """

    pattern: str = "{split}*.tar"

    def count(self, path: Path, stamp: Stamp) -> int:
        return len(_index(path, stamp))

    def read(self, path: Path, stamp: Stamp, index: int) -> Record:
        key, members = _index(path, stamp)[index]
        record: Record = {"key": key}
        with open(path, "rb") as file:
            for ending, (at, length) in members.items():
                file.seek(at)
                content = file.read(length)
                if len(content) != length:
                    raise DataError(f"{path} is cut off in {key}.{ending}; get it again")
                record[ending] = _value(content, ending, f"{key}.{ending} of {path}")
        return record

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        with (
            written(folder / self.pattern.format(split=split).replace("*", "-00000")) as part,
            tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            for number, record in enumerate(records):
                key = record.get("key", f"{number:08d}")
                for ending, value in record.items():
                    if ending != "key":
                        member = tarfile.TarInfo(f"{key}.{ending}")
                        content = _content(value, ending)
                        member.size = len(content)
                        archive.addfile(member, io.BytesIO(content))


def _value(content: bytes, ending: str, name: str) -> Any:
    kind = ending.rpartition(".")[2]
    try:
        if kind == "json":
            return json.loads(content)
        if kind == "cls":
            return int(content)
        return content.decode() if kind in _TEXTS else content
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} can not be read: {error}") from error


def _content(value: Any, ending: str) -> bytes:
    if isinstance(value, bytes):
        return value
    is_json = ending.rpartition(".")[2] == "json"
    return (json.dumps(value, ensure_ascii=False) if is_json else str(value)).encode()


@functools.lru_cache(maxsize=1024)
def _index(path: Path, stamp: Stamp) -> list[tuple[str, Members]]:
    """The records of a file: their names, and where their members lie.

    Raises:
      DataError: It is no tar file, is cut off, or has a member that is more than a file with a name of its own.
    """
    records: dict[str, Members] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            while member := archive.next():
                archive.members = []  # it would keep them all
                if member.isdir():
                    continue
                _check(member, path, stamp[1])
                key, ending = _split(member.name)
                if ending:
                    records.setdefault(key, {})[ending] = (member.offset_data, member.size)
            end = archive.offset
    except (tarfile.TarError, OSError, ValueError, EOFError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} can not be read as tar: {error}; get it again, not compressed") from error
    with open(path, "rb") as file:
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise DataError(f"{path} has no end after {len(records)} records: it is cut off; get it again")
    return list(records.items())


def _check(member: tarfile.TarInfo, path: Path, size: int) -> None:
    """Refuses what could reach beyond the file."""
    name = member.name
    parts = PurePosixPath(name).parts
    if not member.isreg() or member.issparse():
        raise DataError(f"{path} holds {name!r}, a link, a device or a sparse file; want plain files only")
    if posixpath.isabs(name) or ".." in parts or "\\" in name or "\0" in name or name[1:2] == ":":
        raise DataError(
            f"{path} holds {name!r}, a name that leads out of it; write it again with plain names"
        )
    if not 0 <= member.size <= _MOST or member.offset_data + member.size > size:
        raise DataError(f"{path} is cut off in {name!r}, or it is longer than {_MOST} bytes; get it again")


def _split(name: str) -> tuple[str, str]:
    """Parts a name at the first dot of its last part, as webdataset does: "a/b.seg.png" is ("a/b", "seg.png")."""
    folder, slash, last = name.removeprefix("./").rpartition("/")
    stem, _, ending = last.partition(".")
    return (f"{folder}{slash}{stem}", ending.lower()) if stem else ("", "")
