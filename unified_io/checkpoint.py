"""Checkpoints: saved atomically, verified by content, restored by name. The one place that knows orbax.

A folder of checkpoints holds `checkpoint_<step>/state/`. Beside its arrays lies `manifest.json` with the hash of
every file, written before the checkpoint becomes visible: a flipped bit is found, and not trained on. Of several
processes all call the same functions on one folder that all of them see.
"""

import contextlib
import dataclasses
import hashlib
import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers as policies

from unified_io import pytree
from unified_io.errors import CheckpointError, ConfigError

_PREFIX = "checkpoint"
_ITEM = "state"
_MANIFEST = "manifest.json"
_DAMAGED = "damaged_"
_ALGORITHM = "sha256"
# Manifests that do not name theirs, and have files on their first level, are from before SHA-256.
_OLD_ALGORITHM = "blake2b"
_ALGORITHMS = {"sha256": hashlib.sha256, "blake2b": lambda: hashlib.blake2b(digest_size=16)}
# Orbax writes these last; they say when, not what.
_UNHASHED = ("_CHECKPOINT_METADATA", "commit_success.txt")
# Where parameters lie in a checkpoint of training: ours, and T5X's.
_PARAMS_KEYS = ("params", "target")


class _Handler(ocp.PyTreeCheckpointHandler):
    """Writes the hash of every file before orbax makes the checkpoint visible."""

    def finalize(self, directory: epath.Path) -> None:
        super().finalize(directory)
        folder = Path(directory)
        files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in _UNHASHED]
        hashes = {str(p.relative_to(folder)): _hash(p, _ALGORITHM) for p in files}
        manifest = {"algorithm": _ALGORITHM, "files": hashes, "own": _own_hash(hashes)}
        (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1))


@ocp.args.register_with_handler(_Handler, for_save=True)
@dataclasses.dataclass
class _Save(ocp.args.PyTreeSave):
    """What `_Handler` saves."""


@ocp.args.register_with_handler(_Handler, for_restore=True)
@dataclasses.dataclass
class _Restore(ocp.args.PyTreeRestore):
    """What `_Handler` restores."""


class Checkpoints:
    """The checkpoints of one run, in one folder.

    Attributes:
      directory: The folder; made if need be.
    """

    def __init__(self, directory: str | Path, keep: int = 2, keep_period: int | None = None):
        """Opens the folder, and removes what a killed run left half written.

        Args:
          directory: The folder.
          keep: The newest so many stay. With one, nothing is left to fall back on.
          keep_period: Steps that are a multiple of it stay for ever; None for none.

        Raises:
          CheckpointError: The folder can not be written, or several processes do not see the same checkpoints in it.
          ConfigError: A number below 1.
        """
        if min(keep, keep_period or 1) < 1 or keep_period == 0:
            raise ConfigError(
                f"keep is {keep} and keep_period is {keep_period}; give at least 1, or no period"
            )
        self.directory = Path(directory).absolute()
        self._damaged: set[int] = set()
        every = () if keep_period is None else (policies.EveryNSteps(keep_period),)
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(keep), *every]),
            step_prefix=_PREFIX,
            create=True,
            cleanup_tmp_directories=True,
        )
        with _told(f"can not keep checkpoints in {self.directory}"):
            self.directory.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.directory).close()
            self._manager = ocp.CheckpointManager(
                self.directory, options=options, item_handlers={_ITEM: _Handler()}
            )
        seen = from_all_processes(self.steps())
        if any(steps != seen[0] for steps in seen):
            raise CheckpointError(
                f"the processes of this run see different checkpoints in {self.directory}: {seen}; "
                "choose a folder that all of them share"
            )

    def save(self, step: int, state: Any, notes: Mapping[str, Any] | None = None, wait: bool = False) -> None:
        """Saves a state in the background; what the caller does to its arrays afterwards changes nothing.

        Args:
          step: The number under which it is found again; nothing happens if that is there already.
          state: Any pytree of arrays.
          notes: Small JSON values that belong to the state; `notes(step)` returns them.
          wait: Return only when the checkpoint is complete.

        Raises:
          CheckpointError: If this or the previous save could not be written, or a newer checkpoint lies in the folder.
        """
        self._set_damaged_aside()
        newest = self.latest()
        if newest is not None and newest > step:
            raise CheckpointError(
                f"step {step} was not saved: {self.directory} holds the newer step {newest}; "
                "move the newer checkpoints away, or continue from them"
            )
        with _told(f"can not save step {step} to {self.directory}"):
            if step != newest:
                tree = pytree.nested(pytree.named_leaves(state))
                item = _Save(tree, custom_metadata={"step": step, "notes": dict(notes or {})})
                self._manager.save(step, args=ocp.args.Composite(**{_ITEM: item}), force=True)
            if wait:
                self._manager.wait_until_finished()

    def steps(self) -> list[int]:
        """Returns the saved steps that are not known to be damaged, oldest first."""
        return sorted(set(self._manager.all_steps()) - self._damaged)

    def latest(self) -> int | None:
        """Returns the newest step, or None."""
        return max(self.steps(), default=None)

    def restore(self, target: Any, step: int | None = None) -> Any:
        """Returns a saved state, with the structure, dtypes and shardings of `target`.

        The files are compared with their hashes first. Without a step, a damaged checkpoint is reported by a
        warning that names the file, and the one before it is taken.

        Args:
          target: The state as arrays or shapes; see `pytree.abstract`.
          step: Which one; None for the newest that is sound.

        Raises:
          CheckpointError: If there is none, or it is damaged, or it is of another structure than `target`.
        """
        self.wait()
        if step is not None and step not in self.steps():
            raise CheckpointError(f"no step {step} in {self.directory}; there are {self.steps() or 'none'}")
        for candidate in reversed(self.steps()) if step is None else [step]:
            folder = self._folder(candidate)
            damage = _damage(folder, candidate)
            if damage is None:
                named = pytree.named_leaves(target)
                compare(folder, _stored(folder), named)
                return pytree.from_named(_read(folder, named), target)
            if step is not None:
                raise CheckpointError(f"checkpoint {folder.parent} is damaged: {damage}")
            self._damaged.add(candidate)
            warnings.warn(
                f"checkpoint {folder.parent} is damaged: {damage}; trying an older one", stacklevel=2
            )
        raise CheckpointError(f"no sound checkpoint in {self.directory}")

    def notes(self, step: int) -> dict[str, Any]:
        """Returns the notes saved with a step."""
        self.wait()
        return _custom(self._folder(step)).get("notes", {})

    def wait(self) -> None:
        """Waits for saves that run in the background; raises CheckpointError if one failed."""
        with _told(f"can not save to {self.directory}"):
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Waits for saves that run in the background and lets go of the folder."""
        with _told(f"can not save to {self.directory}"):
            self._manager.wait_until_finished()
            self._manager.close()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _folder(self, step: int) -> Path:
        return self.directory / f"{_PREFIX}_{step}" / _ITEM

    def _set_damaged_aside(self) -> None:
        """Renames damaged checkpoints, so that their steps can be saved anew and a person can look at them."""
        if not self._damaged:
            return
        with _by_one_process() as mine:
            for step in self._damaged if mine else ():
                folder = self._folder(step).parent
                aside = folder.with_name(_DAMAGED + folder.name)
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
        self._damaged.clear()
        self._manager.reload()


@dataclasses.dataclass(frozen=True)
class RestoreReport:
    """What a restore did, by parameter name.

    Attributes:
      loaded: Taken from the file.
      initialised: Not in the file; left as they were given.
      unused: In the file, but not wanted.
    """

    loaded: tuple[str, ...]
    initialised: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        lists = (("left at initialisation", self.initialised), ("in the file but unused", self.unused))
        rest = [f"{title} ({len(names)}): {', '.join(names) or 'none'}" for title, names in lists]
        return "\n".join([f"loaded {len(self.loaded)} parameters", *rest])


def save_params(path: str | Path, params: Any) -> None:
    """Saves parameters alone into a folder; what lay there before is replaced only when all is written.

    Raises:
      CheckpointError: If the folder can not be written, or holds something that is not saved parameters.
    """
    path = Path(path).absolute()
    if path.exists() and not (path / _MANIFEST).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise CheckpointError(f"{path} exists and does not hold saved parameters; choose another folder")
    fresh, old = (path.with_name(f".{path.name}.{suffix}") for suffix in ("new", "old"))
    with _told(f"can not save parameters to {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with ocp.Checkpointer(_Handler()) as checkpointer:
            checkpointer.save(fresh, args=_Save(pytree.nested(pytree.named_leaves(params))), force=True)
        with _by_one_process() as mine:
            if mine:
                shutil.rmtree(old, ignore_errors=True)
                if path.exists():
                    path.rename(old)
                fresh.rename(path)
                shutil.rmtree(old, ignore_errors=True)


def load_params(
    path: str | Path,
    target: Any = None,
    expect_missing: tuple[str, ...] = (),
    expect_unused: tuple[str, ...] = (),
) -> tuple[Any, RestoreReport]:
    """Loads parameters saved by `save_params`, or out of a checkpoint of training; prints what it did.

    Args:
      path: A folder of parameters, one checkpoint, or a folder of checkpoints (the newest is taken).
      target: The parameters wanted, as arrays or shapes; None for all there are, as NumPy arrays.
      expect_missing: Patterns of wanted names that the file may lack; `target` must hold arrays for these.
      expect_unused: Patterns of names in the file that nobody needs.

    Raises:
      CheckpointError: If there is nothing to load, it is damaged, a shape differs, or a name is missing or unused
        that was not expected.
    """
    folder, prefix = _find_params(Path(path).absolute())
    if not (folder / _MANIFEST).is_file():
        warnings.warn(f"{folder} has no {_MANIFEST}, so its content can not be verified", stacklevel=2)
    elif (damage := _damage(folder)) is not None:
        raise CheckpointError(f"{folder} is damaged: {damage}")
    stored = {
        name.removeprefix(prefix): leaf for name, leaf in _stored(folder).items() if name.startswith(prefix)
    }
    wanted = stored if target is None else pytree.named_leaves(target)
    compare(folder, stored, wanted, expect_missing, expect_unused)
    loaded = {name: leaf for name, leaf in wanted.items() if name in stored}
    initialised = {name: leaf for name, leaf in wanted.items() if name not in stored}
    abstract = [name for name, leaf in initialised.items() if isinstance(leaf, jax.ShapeDtypeStruct)]
    if abstract:
        raise CheckpointError(
            f"{_some(abstract)} not in {folder}; give initial values in target, not only shapes"
        )
    arrays = _read(folder, {prefix + name: leaf for name, leaf in loaded.items()}, as_numpy=target is None)
    arrays = {name.removeprefix(prefix): leaf for name, leaf in arrays.items()} | initialised
    params = pytree.nested(arrays) if target is None else pytree.from_named(arrays, target)
    report = RestoreReport(tuple(loaded), tuple(initialised), tuple(sorted(stored.keys() - wanted.keys())))
    print(f"{report}\nfrom {folder}")
    return params, report


def _find_params(path: Path) -> tuple[Path, str]:
    """Returns the folder with the arrays, and what the names of parameters start with there."""
    steps = [p for p in path.glob(f"{_PREFIX}_*") if p.name.removeprefix(f"{_PREFIX}_").isdigit()]
    if steps:
        path = max(steps, key=lambda p: int(p.name.removeprefix(f"{_PREFIX}_")))
    for folder in (path, path / _ITEM):
        if (folder / "_METADATA").is_file():
            tops = {name.split("/")[0] for name in _stored(folder)}
            keys = [key for key in _PARAMS_KEYS if key in tops] if folder.name == _ITEM else []
            return folder, f"{keys[0]}/" if keys else ""
    raise CheckpointError(f"{path} holds no saved parameters and no checkpoint")


def _stored(folder: Path) -> dict[str, Any]:
    """Returns shape and dtype of everything in a saved tree, by name."""
    with _told(f"can not read {folder}"):
        return pytree.named_leaves(_Handler().metadata(epath.Path(folder)).tree)


def _custom(folder: Path) -> dict[str, Any]:
    """Returns the metadata of our own that was saved with a tree."""
    with _told(f"can not read {folder}"):
        return _Handler().metadata(epath.Path(folder)).custom_metadata or {}


def _read(folder: Path, named: Mapping[str, Any], as_numpy: bool = False) -> dict[str, Any]:
    """Reads the named arrays out of a saved tree, with the dtypes and shardings given."""

    def arguments(leaf: Any) -> ocp.RestoreArgs:
        if as_numpy:
            return ocp.RestoreArgs(restore_type=np.ndarray)
        sharding = getattr(leaf, "sharding", None)
        sharding = sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        return ocp.ArrayRestoreArgs(dtype=leaf.dtype, sharding=sharding, global_shape=leaf.shape)

    shapes = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in named.items()}
    how = {name: arguments(leaf) for name, leaf in named.items()}
    with _told(f"can not read {folder}"), ocp.Checkpointer(_Handler()) as checkpointer:
        restore = _Restore(pytree.nested(shapes), restore_args=pytree.nested(how), partial_restore=True)
        return pytree.named_leaves(checkpointer.restore(epath.Path(folder), args=restore))


def compare(
    folder: str | Path,
    stored: Mapping[str, Any],
    wanted: Mapping[str, Any],
    expect_missing: tuple[str, ...] = (),
    expect_unused: tuple[str, ...] = (),
) -> None:
    """Raises CheckpointError unless names and shapes agree, but for the expected ones.

    Args:
      folder: Where `stored` lies, for the message.
      stored: What there is: anything with a shape, by name.
      wanted: What there should be, likewise.
      expect_missing: Patterns of wanted names that need not be there.
      expect_unused: Patterns of names that nobody needs.
    """

    def unexpected(names: Any, patterns: tuple[str, ...]) -> list[str]:
        return sorted(name for name in names if not any(re.search(pattern, name) for pattern in patterns))

    missing = unexpected(wanted.keys() - stored.keys(), expect_missing)
    unused = unexpected(stored.keys() - wanted.keys(), expect_unused)
    shapes = [
        f"{name} is {tuple(stored[name].shape)}, wanted {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & stored.keys())
        if tuple(stored[name].shape) != tuple(wanted[name].shape)
    ]
    problems = [
        f"{title} ({len(names)}): {_some(names)}"
        for title, names in (
            ("missing in it", missing),
            ("in it but not wanted", unused),
            ("other shapes", shapes),
        )
        if names
    ]
    if problems:
        raise CheckpointError(f"{folder} is of another model. " + "; ".join(problems))


def from_all_processes(value: Any) -> list[Any]:
    """Returns what every process gives, in the order of their numbers; all of them call it, at the same place.

    Args:
      value: A small JSON value.
    """
    if jax.process_count() == 1:
        return [value]
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    longest = int(multihost_utils.process_allgather(np.array(len(text), np.int32)).max())
    padded = np.pad(text, (0, longest - len(text)), constant_values=ord(" "))
    return [json.loads(row.tobytes()) for row in multihost_utils.process_allgather(padded)]


@contextlib.contextmanager
def _by_one_process() -> Iterator[bool]:
    """Gives True to the process that is to do something to the folder; the others wait until it is done."""
    try:
        yield jax.process_index() == 0
    finally:
        from_all_processes(None)


def _damage(folder: Path, step: int | None = None) -> str | None:
    """Returns what is wrong with a saved tree, or None. Of several processes each looks at its share of the files."""
    found = next(filter(None, from_all_processes(_changed(folder))), None)
    if found is None and step is not None and (held := _custom(folder).get("step")) != step:
        return f"it holds step {held}"
    return found


def _changed(folder: Path) -> str | None:
    try:
        algorithm, files = _manifest(folder)
    except FileNotFoundError:
        return f"{_MANIFEST} is missing"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{_MANIFEST} can not be read ({error!r})"
    for name in sorted(files)[jax.process_index() :: jax.process_count()]:
        try:
            if _hash(folder / name, algorithm) != files[name]:
                return f"{name} changed since it was written"
        except FileNotFoundError:
            return f"{name} is missing"
        except (OSError, ValueError) as error:
            return f"{name} can not be read ({error})"
    return None


def _manifest(folder: Path) -> tuple[str, dict[str, str]]:
    """Returns how the files of a saved tree were hashed, and their hashes by name.

    Raises:
      OSError, ValueError, KeyError, TypeError: There is no manifest, or it is not what was written.
    """
    manifest = json.loads((folder / _MANIFEST).read_text(), object_pairs_hook=_once)
    algorithm = manifest["algorithm"] if "files" in manifest else _OLD_ALGORITHM
    if algorithm not in _ALGORITHMS:
        raise ValueError(f"unknown algorithm {algorithm!r}")
    files = dict(manifest.get("files", manifest))
    if "files" in manifest and manifest["own"] != _own_hash(files):
        raise ValueError("it changed since it was written")
    return algorithm, files


def _own_hash(files: Mapping[str, str]) -> str:
    return hashlib.new(_ALGORITHM, json.dumps(files, sort_keys=True).encode()).hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON whose names are all different: a flipped bit can make two of them the same."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _hash(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _ALGORITHMS[algorithm]).hexdigest()


def _some(names: list[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turns errors of files and of orbax into a CheckpointError that starts with `what`."""
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{what}: {error}") from error
