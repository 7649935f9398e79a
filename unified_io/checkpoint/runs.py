"""The checkpoints of one run: kept, verified, and restored onto any devices."""

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers as policies

from unified_io import pytree
from unified_io.checkpoint import layout, manifest, tree
from unified_io.checkpoint.comparison import compare
from unified_io.checkpoint.processes import by_one_process, from_all_processes
from unified_io.errors import CheckpointError, ConfigError

PREFIX = "checkpoint"
ITEM = "state"
_DAMAGED = "damaged_"


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
            step_prefix=PREFIX,
            create=True,
            cleanup_tmp_directories=True,
        )
        with tree.told(f"can not keep checkpoints in {self.directory}"):
            self.directory.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.directory).close()
            self._manager = ocp.CheckpointManager(
                self.directory, options=options, item_handlers={ITEM: tree.Handler()}
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
        self.wait()
        self._set_damaged_aside()
        newest = self.latest()
        if newest is not None and newest > step:
            raise CheckpointError(
                f"step {step} was not saved: {self.directory} holds the newer step {newest}; "
                "move the newer checkpoints away, or continue from them"
            )
        with tree.told(f"can not save step {step} to {self.directory}"):
            if step != newest:
                named = {layout.stored(name): leaf for name, leaf in pytree.named_leaves(state).items()}
                item = tree.Save(
                    pytree.nested(named), custom_metadata={"step": step, "notes": dict(notes or {})}
                )
                self._manager.save(step, args=ocp.args.Composite(**{ITEM: item}), force=True)
        if wait:
            self.wait()

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
                return _restored(folder, target)
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
        return tree.custom(self._folder(step)).get("notes", {})

    def wait(self) -> None:
        """Waits for saves that run in the background; raises CheckpointError if one failed."""
        with tree.told(f"can not save to {self.directory}"):
            self._manager.wait_until_finished()
            for step in self._manager.all_steps() if jax.process_index() == 0 else ():
                manifest.seal(self._folder(step))

    def close(self) -> None:
        """Waits for saves that run in the background and lets go of the folder."""
        self.wait()
        self._manager.close()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _folder(self, step: int) -> Path:
        return self.directory / f"{PREFIX}_{step}" / ITEM

    def _set_damaged_aside(self) -> None:
        """Renames damaged checkpoints, so that their steps can be saved anew and a person can look at them."""
        if not self._damaged:
            return
        with by_one_process() as mine:
            for step in self._damaged if mine else ():
                folder = self._folder(step).parent
                aside = folder.with_name(_DAMAGED + folder.name)
                shutil.rmtree(aside, ignore_errors=True)
                folder.rename(aside)
        self._damaged.clear()
        self._manager.reload()


def _restored(folder: Path, target: Any) -> Any:
    wanted = pytree.named_leaves(target)
    there = {layout.in_memory(name): leaf for name, leaf in tree.stored(folder).items()}
    compare(folder, there, wanted)
    found = tree.read(folder, {layout.stored(name): leaf for name, leaf in wanted.items()})
    return pytree.from_named({layout.in_memory(name): leaf for name, leaf in found.items()}, target)


def _damage(folder: Path, step: int) -> str | None:
    """Returns what is wrong with a checkpoint, or None."""
    if _of_another_engine(folder):
        warnings.warn(f"{folder} has no {manifest.FILE}, so its content can not be verified", stacklevel=3)
        return None
    found = manifest.damage(folder)
    if found is None and (held := tree.custom(folder).get("step")) != step:
        return f"it holds step {held}"
    return found


def _of_another_engine(folder: Path) -> bool:
    """Whether this is a whole checkpoint that knows of no manifest, such as T5X's."""
    if (folder / manifest.FILE).exists() or not (folder / tree.METADATA_FILE).is_file():
        return False
    try:
        return not tree.custom(folder)
    except CheckpointError:
        return False
