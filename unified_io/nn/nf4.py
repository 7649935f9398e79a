"""Weights held in four bits: 64 share a scale, each is one of 16 values that lie where normal ones likely do."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.typing import DTypeLike
from jaxtyping import Array, Float, UInt8

from unified_io.nn.held import Held

BLOCK, GROUP = 64, 256

# Source: QLoRA (arXiv 2305.14314), appendix E: quantiles of the normal distribution, made to hold -1, 0 and 1.
VALUES = np.array(
    [
        -1.0,
        -0.6961928009986877,
        -0.5250730514526367,
        -0.39491748809814453,
        -0.28444138169288635,
        -0.18477343022823334,
        -0.09105003625154495,
        0.0,
        0.07958029955625534,
        0.16093020141124725,
        0.24611230194568634,
        0.33791524171829224,
        0.44070982933044434,
        0.5626170039176941,
        0.7229568362236023,
        1.0,
    ],
    np.float32,
)


@cache
def dynamic_values() -> np.ndarray:
    """Returns the 256 values of the dynamic tree type, in order: seven decades, each with twice the steps of the last.

    Source: 8-bit Optimizers (arXiv 2110.02861), section 1.3.
    """
    decades = []
    for decade in range(7):
        edges = np.linspace(0.1, 1, 2**decade + 1, dtype=np.float32)
        decades.append(10.0 ** (decade - 6) * ((edges[:-1] + edges[1:]) / 2).astype(np.float64))
    positive = np.concatenate(decades)
    return np.sort(np.concatenate([-positive, positive, [0.0, 1.0]])).astype(np.float32)


def _nearest(x: Float[Array, "*B"], values: np.ndarray) -> UInt8[Array, "*B"]:
    """Returns the index of the nearest of some values in order."""
    middles = (values[1:].astype(np.float64) + values[:-1]) / 2
    return jnp.searchsorted(jnp.asarray(middles, jnp.float32), x).astype(jnp.uint8)


@struct.dataclass
class Scales:
    """Scales of the blocks of a matrix, eight bits each: `mean + largest of its group of 256 * a dynamic value`."""

    codes: UInt8[Array, "*layers D blocks"]
    largest: Float[Array, "*layers groups"]
    mean: Float[Array, "*layers"]

    @classmethod
    def of(cls, scale: Float[Array, "*layers D blocks"]) -> "Scales":
        """Rounds the scales of one matrix, or of one a layer."""
        layers = scale.shape[:-2]
        flat = scale.reshape(*layers, -1)
        mean = flat.mean(axis=-1)
        rest = flat - mean[..., None]
        padding = [(0, 0)] * len(layers) + [(0, -flat.shape[-1] % GROUP)]
        grouped = jnp.pad(rest, padding).reshape(*layers, -1, GROUP)
        largest = jnp.abs(grouped).max(axis=-1)
        codes = _nearest(grouped / jnp.where(largest > 0, largest, 1.0)[..., None], dynamic_values())
        codes = codes.reshape(*layers, -1)[..., : flat.shape[-1]].reshape(scale.shape)
        return cls(codes, largest, mean)

    def values(self) -> Float[Array, "*layers D blocks"]:
        """Returns the scales in float32."""
        layers, rest = self.codes.shape[:-2], self.codes.shape[-2:]
        group = np.arange(rest[0] * rest[1]).reshape(rest) // GROUP
        parts = jnp.asarray(dynamic_values())[self.codes] * self.largest[..., group]
        return parts + self.mean.reshape(*layers, 1, 1)


@struct.dataclass
class NormalFloat(Held):
    """A matrix in four bits; a column is cut into blocks, the last one filled up with zeros.

    Attributes:
      codes: Two weights a byte, the first in its high half; 32 bytes a block.
      scale: The largest absolute weight of every block.
    """

    codes: UInt8[Array, "*layers D bytes"]
    scale: Float[Array, "*layers D blocks"] | Scales

    @classmethod
    def of(cls, kernel: Float[Array, "*layers C D"], *, double: bool = False) -> "NormalFloat":
        """Rounds a matrix, or one a layer.

        Args:
          double: Hold the scales in eight bits too: 4.13 instead of 4.5 bits a weight.
        """
        columns = jnp.swapaxes(jnp.asarray(kernel, jnp.float32), -1, -2)
        columns = jnp.pad(columns, [(0, 0)] * (columns.ndim - 1) + [(0, -columns.shape[-1] % BLOCK)])
        blocks = columns.reshape(*columns.shape[:-1], -1, BLOCK)
        scale = jnp.abs(blocks).max(axis=-1)
        codes = _nearest(blocks / jnp.where(scale > 0, scale, 1.0)[..., None], VALUES).reshape(columns.shape)
        return cls(codes[..., 0::2] << 4 | codes[..., 1::2], Scales.of(scale) if double else scale)

    def times(self, x: Float[Array, "N C"], dtype: DTypeLike) -> Float[Array, "N D"]:
        return x.astype(dtype) @ jax.lax.stop_gradient(self.kernel(x.shape[-1])).astype(dtype)

    def kernel(self, rows: int) -> Float[Array, "*layers C D"]:
        codes = jnp.stack([self.codes >> 4, self.codes & 15], axis=-1)
        scale = self.scale.values() if isinstance(self.scale, Scales) else self.scale
        blocks = jnp.asarray(VALUES)[codes].reshape(*scale.shape, BLOCK) * scale[..., None]
        columns = blocks.reshape(*scale.shape[:-1], -1)[..., :rows]
        return jnp.swapaxes(columns, -1, -2)
