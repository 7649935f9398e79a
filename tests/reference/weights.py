"""What goes into a computation by name, and what was seen on its way."""

from collections.abc import Mapping
from typing import Any

import numpy as np


class Weights:
    """Tensors under the port's names, seen from one of its modules and in one dtype.

    Example: `Weights(tensors).under("encoder.layers_0")["mlp.wo.weight"]`.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], dtype: Any = np.float64, prefix: str = ""):
        self.dtype = np.dtype(dtype)
        self.tensors = tensors
        self._prefix = prefix

    def under(self, module: str) -> "Weights":
        """The tensors of one module within this one."""
        return Weights(self.tensors, self.dtype, f"{self._prefix}{module}.")

    def __getitem__(self, name: str) -> np.ndarray:
        return self.tensors[self._prefix + name].astype(self.dtype)

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self.tensors


class Trace:
    """Keeps arrays by path; a part of the network writes under the path it was given."""

    def __init__(self, values: dict[str, np.ndarray] | None = None, prefix: str = ""):
        self.values = {} if values is None else values
        self._prefix = prefix

    def under(self, path: str) -> "Trace":
        """The same trace, seen from a part of the network."""
        return Trace(self.values, f"{self._prefix}{path}/")

    def __setitem__(self, name: str, value: np.ndarray) -> None:
        self.values[self._prefix + name] = value

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[self._prefix + name]
