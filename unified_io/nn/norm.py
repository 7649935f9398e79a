"""Norms over the last axis. Statistics are at least float32 whatever the compute dtype."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from unified_io.nn.parameter import parameter


class RMSNorm(nn.Module):
    """Divides by the root mean square and scales: no mean subtraction, no bias (as in T5 and the main model).

    Attributes:
      axis: Logical name of the normalised axis.
    """

    epsilon: float = 1e-6
    axis: str = "embed"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B D"]:
        scale = parameter(self, "scale", nn.initializers.ones, x.shape[-1:], (self.axis,))
        wide = x.astype(np.promote_types(x.dtype, np.float32))
        unit = wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) + self.epsilon)
        return unit.astype(self.dtype) * scale.astype(self.dtype)


class LayerNorm(nn.Module):
    """Subtracts the mean, divides by the standard deviation, then scales and shifts (ViT, AST)."""

    epsilon: float = 1e-6
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B D"]:
        scale = parameter(self, "scale", nn.initializers.ones, x.shape[-1:], ("embed",))
        bias = parameter(self, "bias", nn.initializers.zeros, x.shape[-1:], ("embed",))
        wide = x.astype(np.promote_types(x.dtype, np.float32))
        mean = jnp.mean(wide, axis=-1, keepdims=True)
        variance = jnp.maximum(jnp.mean(jnp.square(wide), axis=-1, keepdims=True) - jnp.square(mean), 0.0)
        unit = (wide - mean) * jax.lax.rsqrt(variance + self.epsilon)
        return (unit * scale + bias).astype(self.dtype)


class BatchNorm(nn.Module):
    """Normalises each channel by statistics kept from training, as parameters that no gradient reaches."""

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, "*B C"]) -> Float[Array, "*B C"]:
        def kept(name: str, init: nn.initializers.Initializer) -> Float[Array, " C"]:
            return parameter(self, name, init, x.shape[-1:], ("mlp",))

        zeros, ones = nn.initializers.zeros, nn.initializers.ones
        mean, variance = map(jax.lax.stop_gradient, (kept("mean", zeros), kept("variance", ones)))
        factor = kept("scale", ones) * jax.lax.rsqrt(variance + self.epsilon)
        return ((x - mean) * factor + kept("bias", zeros)).astype(x.dtype)
