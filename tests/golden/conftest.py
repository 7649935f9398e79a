"""Reads the fixtures' weights, which have the names and layouts of the PyTorch port, as trees of ours."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


def _from_port(folder: Path, prefix: str, renames: dict[str, str]) -> dict:
    """Returns the weights of `folder` under `prefix` as a parameter tree.

    A matrix `x.weight` becomes `x/kernel`, transposed; a vector `x.weight` becomes `x/scale`.

    Args:
      renames: Patterns on dotted names, applied in this order before anything else.
    """
    from safetensors.numpy import load_file

    tree: dict = {}
    for name, value in load_file(folder / "weights.safetensors").items():
        if not name.startswith(prefix + "."):
            continue
        name = name.removeprefix(prefix + ".")
        for pattern, new in renames.items():
            name = re.sub(pattern, new, name)
        *path, leaf = name.split(".")
        if leaf == "weight":
            leaf, value = ("kernel", np.ascontiguousarray(value.T)) if value.ndim == 2 else ("scale", value)
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = value
    return tree


@pytest.fixture(scope="session")
def from_port() -> Callable[[Path, str, dict[str, str]], dict]:
    """Returns `from_port(folder, prefix, renames)`: weights of the PyTorch port as a parameter tree."""
    return _from_port
