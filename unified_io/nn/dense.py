"""A matrix with the logical names of its two axes."""

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer, variance_scaling
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from unified_io.nn.int8 import SCALES
from unified_io.nn.parameter import parameter

FAN_IN_NORMAL = variance_scaling(1.0, "fan_in", "normal")
FAN_IN_TRUNCATED = variance_scaling(1.0, "fan_in", "truncated_normal")
GLOROT_UNIFORM = variance_scaling(1.0, "fan_avg", "uniform")


class Dense(nn.Module):
    """`x @ kernel (+ bias)`. The kernel has its final shape `[in, features]`; the product is computed in `dtype`.

    A kernel may be held in eight bits, see `int8`.

    Attributes:
      features: Numbers out.
      axes: Logical names of the kernel's axes (in, out); the bias carries the second.
    """

    features: int
    axes: tuple[str, str]
    use_bias: bool = False
    kernel_init: Initializer = FAN_IN_TRUNCATED
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*B C"]) -> Float[Array, "*B D"]:
        kernel = parameter(self, "kernel", self.kernel_init, (x.shape[-1], self.features), self.axes)
        # In two dimensions XLA's CPU backend needs no transposed copies for the kernel's gradient: twice as fast.
        y = x.astype(self.dtype).reshape(-1, x.shape[-1]) @ kernel.astype(self.dtype)
        if self.has_variable(SCALES, "kernel"):
            y = y * self.get_variable(SCALES, "kernel").astype(self.dtype)
        if self.use_bias:
            bias = parameter(self, "bias", nn.initializers.zeros, (self.features,), self.axes[1:])
            y = y + bias.astype(self.dtype)
        return y.reshape(*x.shape[:-1], self.features)
