"""Trajectories in folders as VIMA has them: pictures of two cameras, and what was seen and done.

Upstream keeps the latter in pickles, which can run code when they are read: they are never opened here, only JSON or
NPZ files of the same names.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from data_tasks.sources.shards import Stamp, stamp
from data_tasks.sources.stored import Record, Stored
from unified_io.errors import DataError

_CAMERAS = ("rgb_front", "rgb_top")
_FILES = ("obs", "action", "trajectory")
_MOST = 2**28  # bytes of one file


@dataclasses.dataclass(frozen=True)
class VimaFolders(Stored):
    """One record a folder of a split: names of pictures by camera, in order, and what obs, action and trajectory hold.

    {"id": "000017", "rgb_front": ["train/000017/rgb_front/0.jpg", …], "rgb_top": […], "action": {…}, …}
    """

    def length(self, folder: Path, split: str) -> int:
        return len(_folders(folder / split))

    def record(self, folder: Path, split: str, index: int) -> Record:
        folders = _folders(folder / split)
        if not 0 <= index < len(folders):
            raise DataError(f"trajectory {index} of {len(folders)} in {folder / split}")
        place = folders[index]
        record: Record = {"id": place.name}
        for camera in _CAMERAS:
            pictures = sorted((place / camera).glob("[!.]*"), key=_number)
            record[camera] = [str(path.relative_to(folder)) for path in pictures]
        for name in _FILES:
            record |= {name: held} if (held := _held(place, name)) is not None else {}
        return record

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        """Writes trajectories; the pictures of a camera are the contents of files, which a record names when read."""
        for number, record in enumerate(records):
            place = folder / split / str(record.get("id", f"{number:06d}"))
            for camera in _CAMERAS:
                (place / camera).mkdir(parents=True, exist_ok=True)
                for step, content in enumerate(record.get(camera, [])):
                    (place / camera / f"{step}.jpg").write_bytes(content)
            for name in _FILES:
                if name not in record:
                    continue
                held = record[name]
                if isinstance(held, dict) and all(isinstance(value, np.ndarray) for value in held.values()):
                    np.savez(place / f"{name}.npz", **held)
                else:
                    (place / f"{name}.json").write_text(json.dumps(held), encoding="utf-8")


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(
            f"no folder {folder}; get VIMA's trajectories, one folder each, and convert their pickles"
        )
    return _listed(folder, stamp(folder))


@functools.lru_cache(maxsize=16)
def _listed(folder: Path, stamp: Stamp) -> list[Path]:
    return sorted((path for path in folder.iterdir() if path.is_dir()), key=_number)


def _number(path: Path) -> tuple[int, str]:
    """Orders names by the number in them, so that 10 comes behind 9."""
    digits = re.search(r"\d+", path.name)
    return (int(digits[0]) if digits else -1, path.name)


def _held(place: Path, name: str) -> Any:
    """What a file of a trajectory holds; None where there is none."""
    as_json, as_arrays, pickled = (place / f"{name}{suffix}" for suffix in (".json", ".npz", ".pkl"))
    try:
        for path in (as_json, as_arrays):
            if path.is_file() and path.stat().st_size > _MOST:
                raise DataError(f"{path} is larger than {_MOST} bytes; is it one trajectory?")
        if as_json.is_file():
            return json.loads(as_json.read_bytes())
        if as_arrays.is_file():
            with np.load(as_arrays, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
    except (OSError, ValueError, EOFError, RecursionError, KeyError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} of {place} can not be read: {error}; convert it again") from error
    if pickled.is_file():
        raise DataError(
            f"{pickled} is a pickle, which can run any code when it is read, so we do not; where you trust it, write "
            f"what it holds as {name}.json, or its arrays with numpy.savez as {name}.npz, beside it"
        )
    return None
