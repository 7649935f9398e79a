"""The two feed-forward parts: a gated one (main model) and a plain one (vision encoders, resampler)."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from unified_io import errors
from unified_io.nn.dense import FAN_IN_TRUNCATED, Dense
from unified_io.nn.lora import LoRA

ACTIVATIONS: dict[str, Callable] = {
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": partial(jax.nn.gelu, approximate=True),
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
}


def activation(name: str) -> Callable:
    """Returns the function of a name in `ACTIVATIONS`; "gelu" is the exact one.

    Raises:
      ConfigError: The name is unknown.
    """
    if name not in ACTIVATIONS:
        raise errors.unknown("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]


class GatedMlp(nn.Module):
    """`(silu(x wi_0) * (x wi_1)) wo`, with dropout on the hidden units, the same for all tokens of a row."""

    hidden_dim: int
    dropout_rate: float = 0.0
    dtype: DTypeLike = jnp.float32
    lora: LoRA | None = None

    @nn.compact
    def __call__(self, x: Float[Array, "*B L D"], *, deterministic: bool = True) -> Float[Array, "*B L D"]:
        dense = partial(Dense, dtype=self.dtype, lora=self.lora)
        gate = dense(self.hidden_dim, ("embed", "mlp"), name="wi_0")(x, deterministic=deterministic)
        value = dense(self.hidden_dim, ("embed", "mlp"), name="wi_1")(x, deterministic=deterministic)
        hidden = jax.nn.silu(gate) * value
        hidden = nn.Dropout(self.dropout_rate, broadcast_dims=(-2,))(hidden, deterministic=deterministic)
        return dense(x.shape[-1], ("mlp", "embed"), name="wo")(hidden, deterministic=deterministic)


class Mlp(nn.Module):
    """`activation(x first) second`.

    Attributes:
      names: Names of the two matrices; released parameter trees differ in them.
    """

    hidden_dim: int
    activation: str = "gelu"
    use_bias: bool = False
    names: tuple[str, str] = ("wi", "wo")
    kernel_init: Initializer = FAN_IN_TRUNCATED
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B D"]:
        dense = partial(Dense, use_bias=self.use_bias, kernel_init=self.kernel_init, dtype=self.dtype)
        first, second = self.names
        hidden = activation(self.activation)(dense(self.hidden_dim, ("embed", "mlp"), name=first)(x))
        return dense(x.shape[-1], ("mlp", "embed"), name=second)(hidden)
