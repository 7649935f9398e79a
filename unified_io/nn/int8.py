"""Weights held in eight bits: a whole number a weight and one scale a column of a matrix."""

import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int8

from unified_io.nn.held import Held

_LARGEST = 127


@struct.dataclass
class Rounded(Held):
    """A matrix in eight bits: `values * scale`, each value within half a scale of what it was.

    Attributes:
      values: From -127 to 127.
      scale: Of every column.
    """

    values: Int8[Array, "*layers C D"]
    scale: Float[Array, "*layers D"]

    @classmethod
    def of(cls, kernel: Float[Array, "*layers C D"]) -> "Rounded":
        """Rounds a matrix, or one a layer."""
        scale = jnp.max(jnp.abs(kernel), axis=-2).astype(jnp.float32) / _LARGEST
        steps = kernel / jnp.where(scale > 0, scale, 1.0)[..., None, :]
        return cls(jnp.round(steps).astype(jnp.int8), scale)

    def times(self, x: Float[Array, "N C"], dtype: DTypeLike) -> Float[Array, "N D"]:
        product = x.astype(dtype) @ self.values.astype(dtype)
        return product * jax.lax.stop_gradient(self.scale).astype(dtype)

    def kernel(self, rows: int) -> Float[Array, "*layers C D"]:
        return self.values * self.scale[..., None, :]
