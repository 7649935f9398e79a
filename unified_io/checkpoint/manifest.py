"""The manifest of a saved tree: the SHA-256 of every file, and of the manifest itself."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from unified_io.checkpoint.processes import from_all_processes

FILE = "manifest.json"
_ALGORITHM = "sha256"
# Orbax writes these last; they say when, not what.
_UNHASHED = ("_CHECKPOINT_METADATA", "commit_success.txt")


def write(folder: Path) -> None:
    """Hashes all files of a folder and leaves the manifest there."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in _UNHASHED]
    hashes = {str(path.relative_to(folder)): _hash(path) for path in files}
    manifest = {"algorithm": _ALGORITHM, "files": hashes, "own": _own_hash(hashes)}
    (folder / FILE).write_text(json.dumps(manifest, indent=1))


def damage(folder: Path) -> str | None:
    """Returns what is wrong with the files of a folder, or None; of several processes each looks at its share."""
    return next(filter(None, from_all_processes(_changed(folder))), None)


def _changed(folder: Path) -> str | None:
    try:
        files = _read(folder)
    except FileNotFoundError:
        return f"{FILE} is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{FILE} can not be read ({error!r})"
    for name in sorted(files)[jax.process_index() :: jax.process_count()]:
        try:
            if _hash(folder / name) != files[name]:
                return f"{name} changed since it was written"
        except FileNotFoundError:
            return f"{name} is missing"
        except (OSError, ValueError) as error:
            return f"{name} can not be read ({error})"
    return None


def _read(folder: Path) -> dict[str, str]:
    """Returns the hashes by name.

    Raises:
      OSError, ValueError, KeyError, TypeError: There is no manifest, or it is not what was written.
    """
    manifest = json.loads((folder / FILE).read_text(), object_pairs_hook=_once)
    if manifest["algorithm"] != _ALGORITHM:
        raise ValueError(f"unknown algorithm {manifest['algorithm']!r}")
    files = dict(manifest["files"])
    if manifest["own"] != _own_hash(files):
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
