"""Rotary positions. Angles belong to a token and travel with it; where in a row it lies is not asked here.

Angles have JAX's default float dtype: float32, or float64 where `jax_enable_x64` is on.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num


def _frequencies(pairs: int, base: float) -> Float[Array, "pairs"]:
    return base ** (-jnp.arange(pairs, dtype=float) / pairs)


def angles_1d(positions: Num[Array, "*L"], head_dim: int, base: float = 10000.0) -> Float[Array, "*L half"]:
    """Angles in radians of tokens in a line: pair i turns by `position * base^(-2i / head_dim)`.

    Example, head_dim 8: position 1 has angles (1, 0.1, 0.01, 0.001).
    """
    return positions[..., None].astype(float) * _frequencies(head_dim // 2, base)


def angles_2d(
    rows: Num[Array, "*L"], cols: Num[Array, "*L"], head_dim: int, base: float = 10000.0
) -> Float[Array, "*L half"]:
    """Angles in radians of tokens on a grid: the first half of the pairs turns by row, the second by column.

    Coordinates may be fractions (a coarse grid on the coordinates of a finer one).
    Example, head_dim 8: row 1, column 2 has angles (1, 0.01, 2, 0.02).
    """
    return jnp.concatenate(
        [angles_1d(rows, head_dim // 2, base), angles_1d(cols, head_dim // 2, base)], axis=-1
    )


def rotate(x: Float[Array, "*B L H K"], angles: Float[Array, "*#B L half"]) -> Float[Array, "*B L H K"]:
    """Turns neighbouring pairs (x[2i], x[2i+1]) of every head by angle i of their token; angle 0 keeps them.

    Computed in float32 or wider and cast back.
    Source: the interleaved convention of LLaMA, as in the released Unified-IO 2.
    """
    cos, sin = jnp.cos(angles)[..., None, :], jnp.sin(angles)[..., None, :]
    wide = x.astype(np.promote_types(x.dtype, np.float32))
    pairs = wide.reshape(*x.shape[:-1], -1, 2)
    a, b = pairs[..., 0], pairs[..., 1]
    turned = jnp.stack([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return turned.reshape(x.shape).astype(x.dtype)
