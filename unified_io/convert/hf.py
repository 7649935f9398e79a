"""Folders of Hugging Face models: their settings, and their weights under our names by a table. Knows no model."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unified_io.checkpoint import compare
from unified_io.checkpoint.comparison import some
from unified_io.convert.families import CONFIG_FILE
from unified_io.convert.rules import Layout, Table
from unified_io.convert.stores import Store, open_store, read_json
from unified_io.errors import CheckpointError


class _Place(NamedTuple):
    theirs: str
    layout: Layout


def settings(folder: str | Path) -> dict[str, Any]:
    """Reads the `config.json` of a folder.

    Raises:
      CheckpointError: There is none, or it is no JSON object.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(f"no {CONFIG_FILE} in {folder}; give a folder that save_pretrained wrote")
    content = read_json(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not an object of settings")
    return content


def read(
    folder: str | Path, table: Table, *, prefix: str = "", ignore: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Reads the weights of a folder, whole; see `tensors`."""
    return dict(tensors(folder, table, prefix=prefix, ignore=ignore))


def tensors(
    folder: str | Path, table: Table, *, prefix: str = "", ignore: Sequence[str] = ()
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (our name, array in our layout) one at a time, numbers as float32; the names are checked first.

    Args:
      folder: With safetensors, in one file or sharded.
      table: Their names beside ours.
      prefix: Of the part that is wanted, e.g. "vision_model."; the table's names are without it. What lies outside
        is not read.
      ignore: Patterns of their names, without the prefix, that no rule need take.

    Raises:
      CheckpointError: There are no weights, or none under the prefix; no rule takes a tensor; two are one of ours.
    """
    store = open_store(folder)
    places = _places(store, table, prefix, ignore)
    for name, (theirs, layout) in places.items():
        array = layout.ours(store.read(theirs))
        yield name, np.ascontiguousarray(array, np.float32 if _is_float(array) else array.dtype)


def _is_float(array: np.ndarray) -> bool:
    # bfloat16 is no kind of NumPy's own
    return array.dtype.kind == "f" or array.dtype.name == "bfloat16"


def _places(store: Store, table: Table, prefix: str, ignore: Sequence[str]) -> dict[str, _Place]:
    stored = [name.removeprefix(prefix) for name in store.shapes() if name.startswith(prefix)]
    if not stored:
        roots = sorted({name.partition(".")[0] for name in store.shapes()})
        raise CheckpointError(
            f"{store.where} holds nothing that starts with {prefix!r}; it has {some(roots)}"
        )
    places: dict[str, _Place] = {}
    unused = []
    for name in stored:
        found = table.to_ours(name)
        if found is None:
            if not any(re.search(pattern, name) for pattern in ignore):
                unused.append(name)
        elif found[0] in places:
            raise CheckpointError(
                f"{store.where} holds {found[0]} twice: as {places[found[0]].theirs} and {prefix}{name}"
            )
        else:
            places[found[0]] = _Place(prefix + name, found[1])
    if unused:
        raise CheckpointError(
            f"{store.where} is no {table.family} as we know it: nothing of ours takes {len(unused)} of its tensors: "
            f"{some(sorted(unused))}; name them in `ignore` if they may be left out"
        )
    return places


def check(
    folder: str | Path,
    named: Mapping[str, Any],
    wanted: Mapping[str, Any],
    expect_missing: Sequence[str] = (),
) -> None:
    """Raises CheckpointError unless what was read is what a model wants, name by name and shape by shape.

    Args:
      folder: Where it was read, for the message.
      named: What was read.
      wanted: Anything with a shape by name, such as the named leaves of `jax.eval_shape(module.init, ...)`.
      expect_missing: Patterns of our names that the folder may lack, e.g. LoRA's factors.
    """
    compare(folder, named, wanted, tuple(expect_missing))
