"""Vectors to codes and back by the nearest entry of a learned codebook. Knows neither pixels nor spectrograms."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Reconstruction(NamedTuple):
    """What a tokenizer makes of its input while it learns.

    Attributes:
      media: The decoded images or spectrograms, as the input: [B, ...].
      codes: int32 [B, L].
      z: What was compared with the codebook, [B, L, code_dim].
      codebook_loss: Mean squared distance of the codebook entries to the vectors they stand for.
      commitment_loss: The same number, with its gradient to the vectors instead.
    """

    media: Array
    codes: Array
    z: Array
    codebook_loss: Array
    commitment_loss: Array


def unit(vectors: Float[Array, "*B C"]) -> Float[Array, "*B C"]:
    """Scales vectors to length one; those shorter than 1e-6 stay short instead of becoming noise."""
    vectors = vectors.astype(jnp.float32)
    return vectors * jax.lax.rsqrt(jnp.maximum(jnp.sum(jnp.square(vectors), -1, keepdims=True), 1e-12))


def squared_distances(z: Float[Array, "*B C"], codebook: Float[Array, "K C"]) -> Float[Array, "*B K"]:
    """Squared Euclidean distances |z|^2 + |e|^2 - 2 z.e, in float32 at the highest matmul precision."""
    z, codebook = z.astype(jnp.float32), codebook.astype(jnp.float32)
    products = jnp.matmul(z, codebook.T, precision=jax.lax.Precision.HIGHEST)
    lengths = jnp.sum(jnp.square(z), -1, keepdims=True)
    return lengths + jnp.sum(jnp.square(codebook), -1).reshape((1,) * (z.ndim - 1) + (-1,)) - 2.0 * products


def nearest_codes(z: Float[Array, "*B C"], codebook: Float[Array, "K C"]) -> Int[Array, "*B"]:
    """Returns the index of the nearest codebook row; of equally near ones the first."""
    return jnp.argmin(squared_distances(z, codebook), axis=-1).astype(jnp.int32)


def count_codes(codes: Int[Array, "*B"], codebook_size: int) -> Float[Array, "K"]:
    """Returns how often each code occurs."""
    return jnp.zeros(codebook_size, jnp.float32).at[codes.reshape(-1)].add(1.0)


def code_usage(counts: Float[Array, "K"]) -> dict[str, Float[Array, ""]]:
    """Returns `perplexity` (how many equally likely codes would be as varied) and `usage` (share of codes seen)."""
    shares = counts / jnp.maximum(counts.sum(), 1e-9)
    entropy = -jnp.sum(shares * jnp.log(jnp.maximum(shares, 1e-12)))
    return {"perplexity": jnp.exp(entropy), "usage": jnp.mean((counts > 0).astype(jnp.float32))}


class Quantizer(nn.Module):
    """A codebook.

    Attributes:
      codebook_size: Entries.
      code_dim: Numbers an entry.
      normalize: Compare directions only: vectors and entries are scaled to length one.
    """

    codebook_size: int
    code_dim: int
    normalize: bool = False

    def setup(self):
        init = nn.initializers.uniform(2.0) if self.normalize else nn.initializers.normal(self.code_dim**-0.5)
        self.embedding = self.param("embedding", init, (self.codebook_size, self.code_dim), jnp.float32)

    @property
    def codebook(self) -> Float[Array, "K C"]:
        """The entries as they are compared and decoded."""
        return unit(self.embedding) if self.normalize else self.embedding

    def encode(self, z: Float[Array, "*B C"]) -> Int[Array, "*B"]:
        """Returns the codes of vectors."""
        return nearest_codes(unit(z) if self.normalize else z, self.codebook)

    def decode(self, codes: Int[Array, "*B"]) -> Float[Array, "*B C"]:
        """Returns the entries of codes; codes outside the codebook are clipped into it."""
        return jnp.take(self.codebook, codes, axis=0, mode="clip")

    def __call__(self, z: Float[Array, "B L C"]) -> tuple[Float[Array, "B L C"], Reconstruction]:
        """Quantizes with a straight-through gradient.

        Returns:
          The entries (to the gradient: `z` itself), and a Reconstruction that holds them as its media.

        Source: van den Oord et al. 2017, equation 3.
        """
        z = unit(z) if self.normalize else z.astype(jnp.float32)
        codes = nearest_codes(jax.lax.stop_gradient(z), jax.lax.stop_gradient(self.codebook))
        entries = self.decode(codes)
        codebook_loss = jnp.mean(jnp.square(entries - jax.lax.stop_gradient(z)))
        commitment_loss = jnp.mean(jnp.square(jax.lax.stop_gradient(entries) - z))
        passed = z + jax.lax.stop_gradient(entries - z)
        return passed, Reconstruction(passed, codes, z, codebook_loss, commitment_loss)
