"""The one way a parameter is made: float32, in its final shape, with a logical name for every axis."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jaxtyping import Array, Float


def parameter(
    module: nn.Module, name: str, init: Initializer, shape: tuple[int, ...], axes: tuple[str, ...]
) -> Float[Array, "..."]:
    """Makes, or finds, the parameter `name` of `module`, and says where a mesh uses it.

    Args:
      axes: Logical names, by which a mesh decides where the parameter lies.
    """
    value: Any = module.param(name, nn.with_logical_partitioning(init, axes), shape, jnp.float32)
    # Without it XLA may gather activations over `fsdp` where it should gather the weights of a layer.
    return nn.with_logical_constraint(value, axes)
