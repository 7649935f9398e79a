"""What a tokenizer is trained to do, and how well it does it. Knows a Reconstruction, no particular tokenizer."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io.tokenizers.quantizer import Reconstruction, code_usage, count_codes


@dataclasses.dataclass(frozen=True)
class TokenizerObjective:
    """Weights of the losses of a tokenizer.

    Attributes:
      absolute_weight: Weight of the mean absolute error; keeps edges sharp.
      squared_weight: Weight of the mean squared error.
      codebook_weight: Weight of the pull of codebook entries to the vectors they stand for.
      commitment_weight: Weight of the pull of vectors to their codebook entries.
      perceptual_weight: Weight of how far apart media look to a network that sees, where one is given.
      span: Distance from the least to the greatest value of the media, for the PSNR: 2 for pixels in [-1, 1].
    """

    absolute_weight: float = 1.0
    squared_weight: float = 1.0
    codebook_weight: float = 1.0
    commitment_weight: float = 0.25
    perceptual_weight: float = 1.0
    span: float = 2.0

    def __call__(
        self, out: Reconstruction, media: Float[Array, "B ..."], codebook_size: int
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """Returns the loss and its metrics, of which `perplexity` and `usage` speak of this batch alone."""
        error = out.media.astype(jnp.float32) - media.astype(jnp.float32)
        absolute, squared = jnp.mean(jnp.abs(error)), jnp.mean(jnp.square(error))
        loss = (
            self.absolute_weight * absolute
            + self.squared_weight * squared
            + self.codebook_weight * out.codebook_loss
            + self.commitment_weight * out.commitment_loss
        )
        return loss, {
            "loss": loss,
            "absolute_error": absolute,
            "squared_error": squared,
            "psnr": psnr(squared, self.span),
            "codebook_loss": out.codebook_loss,
            "commitment_loss": out.commitment_loss,
            **code_usage(count_codes(out.codes, codebook_size)),
        }


def psnr(squared_error: Float[Array, "*B"], span: float) -> Float[Array, "*B"]:
    """Returns the peak signal-to-noise ratio in decibels; at most 100, which stands for no error."""
    return 10.0 * jnp.log10(span**2 / jnp.maximum(squared_error, span**2 * 1e-10))
