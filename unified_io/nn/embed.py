"""A table of token embeddings that also reads hidden states back into logits."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, PRNGKeyArray

from unified_io.nn.parameter import parameter


class Curve(NamedTuple):
    """Rows of a table that stand for numbers in order, and begin as points of one curve: near ones are alike.

    Every column is a wave of one of some octaves, the first of which is half a wave over all rows. So what holds a
    number as sines and cosines of these octaves (`encoders.labels.waves`) is read into the curve by a matrix.

    Attributes:
      first: The first row.
      rows: How many.
      octaves: How many octaves.
    """

    first: int
    rows: int
    octaves: int

    def points(self, key: PRNGKeyArray, width: int) -> Float[Array, "rows width"]:
        """Draws the curve; its columns have the mean square 1, as independent rows would."""
        pace = np.pi / (self.rows - 1) * 2.0 ** (jnp.arange(width) % self.octaves)
        begin = jax.random.uniform(key, (width,), maxval=2 * np.pi)
        return jnp.sqrt(2.0) * jnp.cos(jnp.arange(self.rows)[:, None] * pace + begin)


class Embed(nn.Module):
    """One vector a token id; the same table, transposed, gives the logits."""

    vocab_size: int
    width: int
    dtype: DTypeLike = jnp.float32
    curve: Curve | None = None

    def setup(self):
        shape = (self.vocab_size, self.width)
        self.embedding = parameter(self, "embedding", self._drawn, shape, ("vocab", "embed"))

    def __call__(self, ids: Int[Array, "*B"]) -> Float[Array, "*B D"]:
        """Looks ids up. An id outside the table gives NaN, so that it is seen."""
        return jnp.take(self.embedding, ids, axis=0).astype(self.dtype)

    def attend(self, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
        """Logits `hidden embeddingᵀ / sqrt(D)`, at least float32, over all rows of the table, padding rows included."""
        wide = hidden.astype(np.promote_types(hidden.dtype, np.float32)) / self.width**0.5
        if wide.size == self.width:
            # One token: on a CPU, the only way to write it that XLA does not turn into a loop of its own, half as fast.
            return (self.embedding @ wide.reshape(-1)).reshape(*hidden.shape[:-1], -1)
        return wide @ self.embedding.T

    def _drawn(self, key: PRNGKeyArray, shape: tuple[int, int], dtype: DTypeLike) -> Float[Array, "V D"]:
        table = nn.initializers.normal(1.0)(key, shape, dtype)
        if self.curve is None:
            return table
        points = self.curve.points(jax.random.fold_in(key, 1), self.width).astype(dtype)
        return jax.lax.dynamic_update_slice(table, points, (self.curve.first, 0))
