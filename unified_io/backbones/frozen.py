"""How the frozen matrices of a backbone are held: eight or four bits, turned back on use. Knows no module."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from unified_io import errors
from unified_io.nn.held import Held
from unified_io.nn.int8 import Rounded
from unified_io.nn.nf4 import NormalFloat
from unified_io.pytree import named_leaves, nested

# What there is to choose from, beside leaving a matrix as it is. Bits a weight: 8, 4.5, 4.13, 16.
STORAGES: dict[str, Callable[[jax.Array], Held | jax.Array]] = {
    "int8": Rounded.of,
    "nf4": NormalFloat.of,
    "nf4_double": partial(NormalFloat.of, double=True),
    "bfloat16": lambda kernel: kernel.astype(jnp.bfloat16),
}


def held(params: Any, which: str, storage: str) -> Any:
    """Returns parameters with every kernel held in fewer bits whose name the pattern `which` is found in.

    A module takes them through `nn.held.variables`. LoRA's factors, biases and norms beside a kernel stay.

    Args:
      params: A tree, each leaf with its layers apart or stacked.
      which: A regular expression on the names of parameters, e.g. "layers.*/(attention|mlp)/".
      storage: A name in `STORAGES`; "nf4_double" holds the scales in eight bits too, as QLoRA does.

    Raises:
      ConfigError: `storage` is unknown, or no kernel is meant.
    """
    if storage not in STORAGES:
        raise errors.unknown("storage of frozen weights", storage, STORAGES)
    named = named_leaves(params)
    kernels = [name for name in named if name.endswith("/kernel")]
    chosen = {name for name in kernels if re.search(which, name)}
    if not chosen:
        raise errors.ConfigError(
            f"no kernel's name has {which!r} in it; some of them: {', '.join(kernels[:5])}"
        )
    store = STORAGES[storage]
    return nested({name: store(leaf) if name in chosen else leaf for name, leaf in named.items()})
