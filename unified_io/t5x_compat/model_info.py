"""`model-info.txt`: what a model is made of, one line a variable, as T5X leaves it in a MODEL_DIR."""

import math
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax

from unified_io.t5x_compat import axes
from unified_io.train import mesh

FILE = "model-info.txt"


def write(folder: str | Path, boxed: Any) -> None:
    """Writes the file into a folder, which is made if need be; of several processes the first one does.

    Args:
      folder: The MODEL_DIR.
      boxed: Shapes of the parameters in their boxes, from `model.parameter_shapes`.
    """
    if jax.process_index() != 0:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    Path(folder, FILE).write_text(describe(boxed), encoding="utf-8")


def describe(boxed: Any) -> str:
    """Returns a line a variable (name, size, named shape, where it lies on the mesh) and the number of parameters."""
    lines, total = [], 0
    for name, leaf in sorted(axes.named_boxes(boxed).items()):
        shape, names = tuple(axes.value(leaf).shape), axes.names(leaf)
        size = math.prod(shape)
        total += size
        named = ", ".join(f"{axis}={n}" for axis, n in zip(names, shape, strict=True))
        spec = tuple(nn.logical_to_mesh_axes(names, mesh.RULES))
        lines.append(f"Variable {name:80} size {size:<12} shape ({named}) partition spec {spec}")
    return "\n".join([*lines, f"Total number of parameters: {total}", ""])
