"""Runs a module and keeps what every part of it returned on the way."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np
from flax import traverse_util


def traced(module: nn.Module, params: Any, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, np.ndarray]]:
    """Applies a module; returns its output, and by path ("layers_0/mlp") what the parts returned.

    A part's other methods are there too ("layers_0/self_attention.read"). Where a part ran several times, its later
    outputs are called "name@2", "name@3"….
    """
    kwargs.setdefault("method", "__call__")

    def apply(params, *args):
        return module.apply({"params": params}, *args, capture_intermediates=_public, **kwargs)

    def _public(_: nn.Module, method: str) -> bool:
        return not method.startswith("_") or method == "__call__"

    out, state = jax.jit(apply)(params, *args)
    parts = {}
    for (*path, method), values in traverse_util.flatten_dict(state["intermediates"]).items():
        name = "/".join(path) + ("" if method == "__call__" else f".{method}")
        for number, value in enumerate(values, 1):
            parts[name if number == 1 else f"{name}@{number}"] = value
    return out, parts
