"""A matrix with the logical names of its two axes."""

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import Initializer, variance_scaling
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from unified_io.nn.held import HELD
from unified_io.nn.lora import A_INIT, LoRA
from unified_io.nn.parameter import parameter

FAN_IN_NORMAL = variance_scaling(1.0, "fan_in", "normal")
FAN_IN_TRUNCATED = variance_scaling(1.0, "fan_in", "truncated_normal")
GLOROT_UNIFORM = variance_scaling(1.0, "fan_avg", "uniform")


class Dense(nn.Module):
    """`x @ kernel (+ bias)`. The kernel has its final shape `[in, features]`; the product is computed in `dtype`.

    A kernel may be held in fewer bits, see `held`; then there is no parameter.

    Attributes:
      features: Numbers out.
      axes: Logical names of the kernel's axes (in, out); the bias carries the second.
      lora: A low-rank update, if it names this module.
    """

    features: int
    axes: tuple[str, str]
    use_bias: bool = False
    kernel_init: Initializer = FAN_IN_TRUNCATED
    dtype: DTypeLike = jnp.float32
    lora: LoRA | None = None

    @nn.compact
    def __call__(self, x: Float[Array, "*B C"], *, deterministic: bool = True) -> Float[Array, "*B D"]:
        # In two dimensions XLA's CPU backend needs no transposed copies for the kernel's gradient: twice as fast.
        flat = x.astype(self.dtype).reshape(-1, x.shape[-1])
        if self.has_variable(HELD, "kernel"):
            y = self.get_variable(HELD, "kernel").times(flat, self.dtype)
        else:
            kernel = parameter(self, "kernel", self.kernel_init, (x.shape[-1], self.features), self.axes)
            y = flat @ kernel.astype(self.dtype)
        if self.use_bias:
            bias = parameter(self, "bias", nn.initializers.zeros, (self.features,), self.axes[1:])
            y = y + bias.astype(self.dtype)
        if self.lora is not None and self.name in self.lora.names:
            y = y + self._low_rank(self.lora, flat, deterministic)
        return y.reshape(*x.shape[:-1], self.features)

    def _low_rank(self, lora: LoRA, x: Float[Array, "N C"], deterministic: bool) -> Float[Array, "N D"]:
        into, out = self.axes
        a = parameter(self, "lora_a", A_INIT, (x.shape[-1], lora.rank), (into, "rank"))
        b = parameter(self, "lora_b", nn.initializers.zeros, (lora.rank, self.features), ("rank", out))
        x = nn.Dropout(lora.dropout_rate, name="lora_dropout")(x, deterministic=deterministic)
        return lora.scale * ((x @ a.astype(self.dtype)) @ b.astype(self.dtype))
