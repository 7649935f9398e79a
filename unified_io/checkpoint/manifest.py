"""The manifest of a saved tree: the SHA-256 of every file, and of the manifest itself.

Orbax writes some notes after the manifest, while it makes the checkpoint visible. A seal beside the tree holds their
hashes; it comes a moment later, so a run that was killed in between leaves none, and the next session makes it.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax

from unified_io.checkpoint.processes import from_all_processes

FILE = "manifest.json"
SEAL = "seal.json"
_ALGORITHM = "sha256"
_LATE = ("_CHECKPOINT_METADATA", "commit_success.txt")


def write(folder: Path) -> None:
    """Hashes all files of a folder, and leaves the manifest there."""
    _write(folder / FILE, (path for path in folder.rglob("*") if path.name not in _LATE))


def seal(folder: Path) -> None:
    """Hashes what was written in and around a folder after its manifest, unless that was done."""
    around = folder.parent
    if (folder / FILE).exists() and not (around / SEAL).exists():
        _write(around / SEAL, (path for name in _LATE for path in around.rglob(name)))


def damage(folder: Path) -> str | None:
    """Returns what is wrong with the files of a folder, or None; of several processes each looks at its share."""
    return next(
        filter(None, from_all_processes(_changed(folder / FILE) or _changed(folder.parent / SEAL))), None
    )


def _changed(manifest: Path) -> str | None:
    folder = manifest.parent
    try:
        files = _read(manifest)
    except FileNotFoundError:
        return None if manifest.name == SEAL else f"{FILE} is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{manifest.name} can not be read ({error!r})"
    for name in sorted(files)[jax.process_index() :: jax.process_count()]:
        try:
            if _hash(folder / name) != files[name]:
                return f"{name} changed since it was written"
        except FileNotFoundError:
            return f"{name} is missing"
        except (OSError, ValueError) as error:
            return f"{name} can not be read ({error})"
    return None


def _write(manifest: Path, files: Iterable[Path]) -> None:
    hashes = {str(path.relative_to(manifest.parent)): _hash(path) for path in sorted(files) if path.is_file()}
    content = {"algorithm": _ALGORITHM, "files": hashes, "own": _own_hash(hashes)}
    fresh = manifest.with_name(f".{manifest.name}")
    fresh.write_text(json.dumps(content, indent=1))
    os.replace(fresh, manifest)


def _read(manifest: Path) -> dict[str, str]:
    """Returns the hashes by name.

    Raises:
      OSError, ValueError, KeyError, TypeError: There is no manifest, or it is not what was written.
    """
    content = json.loads(manifest.read_text(), object_pairs_hook=_once)
    if content["algorithm"] != _ALGORITHM:
        raise ValueError(f"unknown algorithm {content['algorithm']!r}")
    files = dict(content["files"])
    if content["own"] != _own_hash(files):
        raise ValueError("it changed since it was written")
    return files


def _own_hash(files: Mapping[str, str]) -> str:
    return hashlib.new(_ALGORITHM, json.dumps(files, sort_keys=True).encode()).hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON whose names are all different: a flipped bit can make two of them the same."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _ALGORITHM).hexdigest()
