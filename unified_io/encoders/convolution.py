"""Convolutions over one, two or three axes, channels last: the stems of encoders. Knows no medium."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from unified_io.nn.dense import FAN_IN_TRUNCATED
from unified_io.nn.parameter import parameter

_LETTERS = "THW"


def convolve(
    x: Float[Array, "B *space C"],
    kernel: Float[Array, "*window I D"],
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[tuple[int, int]] = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Float[Array, "B *less D"]:
    """Slides a kernel over all axes of `x` but the first and the last.

    Args:
      kernel: I is C / `groups`.
      stride: Of every axis, or one for all.
      padding: Zeros before and after every axis, or one number for all.
    """
    axes = kernel.ndim - 2
    letters = _LETTERS[-axes:]
    layout = f"N{letters}C"
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride,) * axes if isinstance(stride, int) else tuple(stride),
        ((padding, padding),) * axes if isinstance(padding, int) else tuple(padding),
        rhs_dilation=(dilation,) * axes,
        dimension_numbers=(layout, f"{letters}IO", layout),
        feature_group_count=groups,
    )


class Convolution(nn.Module):
    """`convolve` with a learned kernel `[*window, in, features]`, computed in `dtype`."""

    features: int
    window: tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: int = 0
    dilation: int = 1
    use_bias: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B *space C"]) -> Float[Array, "B *less D"]:
        shape = (*self.window, x.shape[-1], self.features)
        axes = (*(f"axis_{i}" for i in range(len(self.window) + 1)), "embed")
        kernel = parameter(self, "kernel", FAN_IN_TRUNCATED, shape, axes)
        y = convolve(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )
        if self.use_bias:
            bias = parameter(self, "bias", nn.initializers.zeros, (self.features,), ("embed",))
            y = y + bias.astype(self.dtype)
        return y
