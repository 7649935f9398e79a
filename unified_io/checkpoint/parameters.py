"""Parameters alone: saved into a folder, loaded from there or out of a checkpoint of training."""

import dataclasses
import shutil
import warnings
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from unified_io import pytree
from unified_io.checkpoint import layout, manifest, tree
from unified_io.checkpoint.comparison import compare, some
from unified_io.checkpoint.processes import by_one_process
from unified_io.checkpoint.runs import ITEM, PREFIX
from unified_io.errors import CheckpointError

PARAMS_FOLDER = "params"
"""Where a job that trains a part of a model leaves its parameters, in the folder of the job."""


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
    if path.exists() and not (path / manifest.FILE).is_file() and (not path.is_dir() or any(path.iterdir())):
        raise CheckpointError(f"{path} exists and does not hold saved parameters; choose another folder")
    fresh, old = (path.with_name(f".{path.name}.{suffix}") for suffix in ("new", "old"))
    with tree.told(f"can not save parameters to {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with ocp.Checkpointer(tree.Handler()) as checkpointer:
            checkpointer.save(fresh, args=tree.Save(pytree.nested(pytree.named_leaves(params))), force=True)
        with by_one_process() as mine:
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
    if not (folder / manifest.FILE).is_file():
        warnings.warn(f"{folder} has no {manifest.FILE}, so its content can not be verified", stacklevel=2)
    elif (damage := manifest.damage(folder)) is not None:
        raise CheckpointError(f"{folder} is damaged: {damage}")
    stored = {
        name.removeprefix(prefix): leaf
        for name, leaf in tree.stored(folder).items()
        if name.startswith(prefix)
    }
    wanted = stored if target is None else pytree.named_leaves(target)
    compare(folder, stored, wanted, expect_missing, expect_unused)
    loaded = {name: leaf for name, leaf in wanted.items() if name in stored}
    initialised = {name: leaf for name, leaf in wanted.items() if name not in stored}
    abstract = [name for name, leaf in initialised.items() if isinstance(leaf, jax.ShapeDtypeStruct)]
    if abstract:
        raise CheckpointError(
            f"{some(abstract)} not in {folder}; give initial values in target, not only shapes"
        )
    arrays = tree.read(
        folder, {prefix + name: leaf for name, leaf in loaded.items()}, as_numpy=target is None
    )
    arrays = {name.removeprefix(prefix): leaf for name, leaf in arrays.items()} | initialised
    params = pytree.nested(arrays) if target is None else pytree.from_named(arrays, target)
    report = RestoreReport(tuple(loaded), tuple(initialised), tuple(sorted(stored.keys() - wanted.keys())))
    print(f"{report}\nfrom {folder}")
    return params, report


def _find_params(path: Path) -> tuple[Path, str]:
    """Returns the folder with the arrays, and what the names of parameters start with there."""
    steps = [p for p in path.glob(f"{PREFIX}_*") if p.name.removeprefix(f"{PREFIX}_").isdigit()]
    if steps:
        path = max(steps, key=lambda p: int(p.name.removeprefix(f"{PREFIX}_")))
    for folder in (path, path / ITEM):
        if (folder / tree.METADATA_FILE).is_file():
            training = folder.name == ITEM and any(
                name.startswith(f"{layout.PARAMS}/") for name in tree.stored(folder)
            )
            return folder, f"{layout.PARAMS}/" if training else ""
    raise CheckpointError(f"{path} holds no saved parameters and no checkpoint")
