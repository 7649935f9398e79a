"""What an encoder is told of the patches of a medium while it is trained alone: words and numbers. Knows no medium."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Shaped

from unified_io.nn.dense import Dense


class Labelled(NamedTuple):
    """Media as an encoder reads them, and what is true of every patch.

    Attributes:
      patches: Normalised patches.
      mask: Real patches.
      words: Which of the words are true of a patch.
      numbers: What else is true of it, in any unit; NaN where nobody knows.
    """

    patches: Shaped[np.ndarray, "N P C"]
    mask: Bool[np.ndarray, "N P"]
    words: Bool[np.ndarray, "N P W"]
    numbers: Shaped[np.ndarray, "N P M"]

    @classmethod
    def stacked(cls, media: list["Labelled"]) -> "Labelled":
        """Puts media together, each of them without the first axis."""
        return cls(*(np.stack(field) for field in zip(*media, strict=True)))

    @property
    def halved(self) -> "Labelled":
        """The same in half the room."""
        return self._replace(patches=self.patches.astype(np.float16), numbers=self.numbers.astype(np.float16))


class Reading(NamedTuple):
    """What is read off the features of a patch: a logit a word, and numbers in units of their spread."""

    words: Float[Array, "B P W"]
    numbers: Float[Array, "B P M"]


class LabelledEncoder(nn.Module):
    """An encoder, and one linear layer that reads labels off both of its features, as a model's projection does."""

    encoder: nn.Module
    grid: tuple[int, int]
    words: int
    numbers: int

    @nn.compact
    def __call__(self, patches: Float[Array, "B P C"], mask: Bool[Array, "B P"]) -> Reading:
        positions = jnp.broadcast_to(jnp.arange(mask.shape[1]), mask.shape)
        levels = self.encoder(patches, mask, positions, grid=self.grid)
        head = Dense(self.words + self.numbers, ("image_patch", "embed"), use_bias=True, name="head")
        read = head(jnp.concatenate(levels, axis=-1))
        return Reading(read[..., : self.words], read[..., self.words :])


@dataclasses.dataclass(frozen=True)
class LabelObjective:
    """How far a reading is from the labels.

    Attributes:
      number_weight: Of the squared error of a number, beside the cross-entropy of a word.
    """

    number_weight: float = 0.3

    def __call__(
        self, read: Reading, batch: Mapping[str, Array]
    ) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
        """Returns the loss, a mean over real patches, and its metrics.

        `words_found` is the part of the true words that are read, `words_true` that of the words read that are true;
        `numbers_explained` is the part of the variance of numbers, 0 for who always says their mean.
        """
        mask = batch["mask"]
        real = jnp.maximum(mask.sum(), 1)
        entropy = optax.sigmoid_binary_cross_entropy(read.words, batch["words"]).sum(-1)
        known = ~jnp.isnan(batch["numbers"]) & mask[..., None]
        squares = jnp.where(known, jnp.square(read.numbers - jnp.where(known, batch["numbers"], 0.0)), 0.0)
        loss = jnp.where(mask, entropy, 0.0).sum() / real + self.number_weight * squares.sum() / real
        said, true = (read.words > 0) & mask[..., None], batch["words"] & mask[..., None]
        both = (said & true).sum()
        return loss, {
            "words_found": both / jnp.maximum(true.sum(), 1),
            "words_true": both / jnp.maximum(said.sum(), 1),
            "numbers_explained": 1.0 - squares.sum() / jnp.maximum(known.sum(), 1),
        }


def waves(values: Float[np.ndarray, "*B n"], octaves: int) -> Float[np.ndarray, "*B m"]:
    """Returns numbers in [0, 1] as sines and cosines of so many octaves: m = 2 n octaves. The first is half a wave.

    A layer that is linear reads them into a table of location tokens on a `Curve`, and no single number into it.
    """
    angles = np.pi * np.asarray(values)[..., None] * 2.0 ** np.arange(octaves)
    coded = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    return coded.reshape(*coded.shape[:-2], -1)


def spread(numbers: Shaped[np.ndarray, "N P M"]) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Returns mean and standard deviation of every number where it is known; 0 and 1 where it never is."""
    flat = numbers.reshape(-1, numbers.shape[-1])
    sums = np.stack([_moments(column) for column in flat.T]).reshape(-1, 2)
    return sums[:, 0].astype(np.float32), sums[:, 1].astype(np.float32)


def _moments(column: np.ndarray) -> tuple[float, float]:
    known = column[~np.isnan(column)].astype(np.float64)
    return (float(known.mean()), float(known.std()) or 1.0) if len(known) else (0.0, 1.0)
