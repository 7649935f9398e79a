"""A medium whose encoder has run already: what it made is stored, and goes into the network in the encoder's place."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from unified_io.encoders.base import Features
from unified_io.modalities.connected.medium import Medium
from unified_io.modalities.connected.parts import module_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredFront:
    """Features of one medium as one array: its tokens, and its pooled vector as the last row.

    Attributes:
      tokens: Tokens of a medium.
      width: Numbers a token.
    """

    tokens: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a segment."""
        return self.tokens + 1, self.width

    @property
    def most(self) -> int:
        """Segments of a medium."""
        return 1

    def read(self, value: Any) -> Any:
        """Returns features as they are."""
        return value

    def segments(self, raw: Any) -> Float[np.ndarray, "1 rows width"]:
        """Returns the one segment."""
        return np.asarray(raw, np.float32)[None]


class Stored(nn.Module):
    """Takes stored features apart. It has no parameters."""

    @nn.compact
    def __call__(self, values: Float[Array, "B rows width"]) -> Features:
        tokens = values[:, :-1]
        return Features(tokens, jnp.ones(tokens.shape[:2], bool), values[:, -1])


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredMedium(Medium):
    """A medium by its stored features; the network behind the encoder is that of `Medium`."""

    encoder: None = None

    @property
    def tokens(self) -> int:
        return 1 if self.pooled else self.front.tokens

    def shared(self, config: Any) -> dict[str, nn.Module]:
        return {self.encoder_key: Stored(), self.connector_key: module_of(self.connector)}


def together(found: Features) -> Float[Array, "B rows width"]:
    """Returns an encoder's features as they are stored; the mean of the tokens where it pools nothing."""
    pooled = found.tokens.mean(axis=1) if found.pooled is None else found.pooled
    return jnp.concatenate([found.tokens, pooled[:, None]], axis=1)
