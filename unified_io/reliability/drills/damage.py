"""Checkpoints that were damaged on disk: every flipped bit, cut, lost or swapped file must be found and named."""

import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unified_io.checkpoint import Checkpoints
from unified_io.checkpoint.manifest import SEAL
from unified_io.errors import CheckpointError
from unified_io.reliability.drills import remains
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.verdict import DrillFailed, insist


def bit_flips(ground: Ground) -> str:
    """Single bits flipped in every file of a step, small files as often as large ones."""
    folder, template, rng = _copy(ground, "flipped"), remains.template(ground.straight.job), random.Random(1)
    good, flips = _bits_by_step(folder, template), ground.some(100, 40)
    last, before = max(good), min(good)
    files = _files(folder, last)
    with Checkpoints(folder) as checkpoints:
        for number in range(flips):
            file = files[number % len(files)]
            with _changed(file, lambda content: _flipped(content, rng)):
                _refused(checkpoints, template, last, file.name, f"flip {number + 1} of {flips}")
    named = sorted(files, key=lambda file: file.stat().st_size)
    for file in (named[-1], named[0]):
        with _changed(file, lambda content: _flipped(content, rng)):
            _falls_back(folder, template, file.name, good[before])
    found = f"{flips} of {flips} flips over {len(files)} files found and named"
    return f"{found}; the step before, {before}, was taken instead"


def torn_files(ground: Ground) -> str:
    """Files cut in half, emptied and deleted, and one step in the place of another."""
    folder, template = _copy(ground, "torn"), remains.template(ground.straight.job)
    good = _bits_by_step(folder, template)
    last, before, done = max(good), min(good), 0
    with Checkpoints(folder) as checkpoints:
        for file in _files(folder, last):
            for what, change in _TEARS.items():
                if what == "deleted" and file.name == SEAL:
                    continue  # as in a run that was killed before it could seal the step
                with _changed(file, change):
                    _refused(checkpoints, template, last, file.name, f"a file that was {what}")
                done += 1
    largest = max(_files(folder, last), key=lambda file: file.stat().st_size)
    for change in _TEARS.values():
        with _changed(largest, change):
            _falls_back(folder, template, largest.name, good[before])
    swapped, place = (folder / f"checkpoint_{step}" for step in (before, last))
    shutil.rmtree(place)
    shutil.copytree(swapped, place)
    _falls_back(folder, template, str(before), good[before])
    return f"{done} torn files and a swapped step found and named; step {before} was taken instead"


_TEARS: dict[str, Callable[[bytes], bytes | None]] = {
    "cut in half": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "deleted": lambda content: None,
}


def _refused(checkpoints: Checkpoints, template: Any, step: int, name: str, what: str) -> None:
    """Insists that a step is not restored, with this name in the message."""
    try:
        checkpoints.restore(template, step)
    except CheckpointError as error:
        insist(name in str(error), f"{what}, in {name}, was found, but called {error}")
    else:
        raise DrillFailed(f"{what}, in {name}, was not found")


def _falls_back(folder: Path, template: Any, name: str, wanted: dict[str, str]) -> None:
    """Insists that the newest checkpoint is refused with this name in the message, and the one before it taken."""
    with Checkpoints(folder) as checkpoints, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = remains.bits(checkpoints.restore(template))
    words = " ".join(str(warning.message) for warning in said)
    insist("is damaged" in words, f"damage in {name} went unnoticed")
    insist(name in words, f"damage in {name} was found, but it said: {words}")
    insist(found == wanted, f"after damage in {name} it did not fall back to the step before")


def _copy(ground: Ground, name: str) -> Path:
    return copied(ground.straight.folder, ground.folder / name)


def copied(run: Path, folder: Path) -> Path:
    """Copies the checkpoints of a run into a folder, and returns that."""
    for path in run.glob("checkpoint_*"):
        shutil.copytree(path, folder / path.name)
    return folder


def _bits_by_step(folder: Path, template: Any) -> dict[int, dict[str, str]]:
    with Checkpoints(folder) as checkpoints:
        found = {step: remains.bits(checkpoints.restore(template, step)) for step in checkpoints.steps()}
    insist(len(found) >= 2, f"a finished run should leave two checkpoints, there are {sorted(found)}")
    return found


def _files(folder: Path, step: int) -> list[Path]:
    """The files of a step that have a bit to flip."""
    files = sorted((folder / f"checkpoint_{step}").rglob("*"))
    return [path for path in files if path.is_file() and path.stat().st_size]


def _flipped(content: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(content)
    flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    return bytes(flipped)


class _changed:
    """In this context a file holds something else, or is gone."""

    def __init__(self, file: Path, change: Callable[[bytes], bytes | None]):
        self._file, self._content = file, file.read_bytes()
        self._other = change(self._content)

    def __enter__(self) -> None:
        if self._other is None:
            self._file.unlink()
        else:
            self._file.write_bytes(self._other)

    def __exit__(self, *_: object) -> None:
        self._file.write_bytes(self._content)
