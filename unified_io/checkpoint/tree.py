"""A saved tree: arrays by name in one folder, written and read by orbax."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from unified_io import pytree
from unified_io.checkpoint import manifest
from unified_io.errors import CheckpointError

METADATA_FILE = "_METADATA"
"""A folder with this file is a saved tree."""


class Handler(ocp.PyTreeCheckpointHandler):
    """Writes the hash of every file before orbax makes the checkpoint visible."""

    def finalize(self, directory: epath.Path) -> None:
        """Ends a save."""
        super().finalize(directory)
        manifest.write(Path(directory))


@ocp.args.register_with_handler(Handler, for_save=True)
@dataclasses.dataclass
class Save(ocp.args.PyTreeSave):
    """What `Handler` saves."""


@ocp.args.register_with_handler(Handler, for_restore=True)
@dataclasses.dataclass
class _Restore(ocp.args.PyTreeRestore):
    """What `Handler` restores."""


def stored(folder: Path) -> dict[str, Any]:
    """Returns shape and dtype of everything in a saved tree, by name."""
    with told(f"can not read {folder}"):
        return pytree.named_leaves(Handler().metadata(epath.Path(folder)).tree)


def custom(folder: Path) -> dict[str, Any]:
    """Returns the metadata of our own that was saved with a tree."""
    with told(f"can not read {folder}"):
        return Handler().metadata(epath.Path(folder)).custom_metadata or {}


def read(folder: Path, named: Mapping[str, Any], as_numpy: bool = False) -> dict[str, Any]:
    """Reads the named arrays out of a saved tree.

    Args:
      folder: Of the tree.
      named: Arrays or shapes by name, which give dtypes and shardings.
      as_numpy: Return NumPy arrays as they were saved.
    """

    def arguments(leaf: Any) -> ocp.RestoreArgs:
        if as_numpy:
            return ocp.RestoreArgs(restore_type=np.ndarray)
        sharding = getattr(leaf, "sharding", None)
        sharding = sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        return ocp.ArrayRestoreArgs(dtype=leaf.dtype, sharding=sharding, global_shape=leaf.shape)

    shapes = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in named.items()}
    how = {name: arguments(leaf) for name, leaf in named.items()}
    with told(f"can not read {folder}"), ocp.Checkpointer(Handler()) as checkpointer:
        restore = _Restore(pytree.nested(shapes), restore_args=pytree.nested(how), partial_restore=True)
        return pytree.named_leaves(checkpointer.restore(epath.Path(folder), args=restore))


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Turns errors of files and of orbax into a CheckpointError that starts with `what`."""
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{what}: {error}") from error
