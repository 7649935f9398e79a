"""A table of token embeddings that also reads hidden states back into logits."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from unified_io.nn.parameter import parameter


class Embed(nn.Module):
    """One vector a token id; the same table, transposed, gives the logits."""

    vocab_size: int
    width: int
    dtype: DTypeLike = jnp.float32

    def setup(self):
        shape = (self.vocab_size, self.width)
        self.embedding = parameter(self, "embedding", nn.initializers.normal(1.0), shape, ("vocab", "embed"))

    def __call__(self, ids: Int[Array, "*B"]) -> Float[Array, "*B D"]:
        """Looks ids up. An id outside the table gives NaN, so that it is seen."""
        return jnp.take(self.embedding, ids, axis=0).astype(self.dtype)

    def attend(self, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
        """Logits `hidden embeddingᵀ / sqrt(D)`, at least float32, over all rows of the table, padding rows included."""
        wide = hidden.astype(np.promote_types(hidden.dtype, np.float32))
        return (wide / self.width**0.5) @ self.embedding.T
