"""Pen actions in and out: points (y, x, pen) written with location tokens, in streams of their own.

An action shares the text table; its raw field, its modality vector and the roles of its numbers are its own.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from unified_io.modalities.base import Embedder, InputSequence
from unified_io.modalities.text import (
    TABLE,
    TextInput,
    TextInputEmbedder,
    TextTarget,
    TextTargetEmbedder,
    Written,
)
from unified_io.structures import ids_to_strokes, strokes_to_ids

ROLES = 3  # y, x, pen


@dataclasses.dataclass(frozen=True)
class Drawn(Written):
    """A pen trajectory float32 [n, 3]: three location tokens a point."""

    @property
    def name(self) -> str:
        return "action"

    def tokenize(self, field: Any) -> list[int]:
        return list(strokes_to_ids(np.asarray(field), self.vocabulary)) if len(field) else []


@dataclasses.dataclass(frozen=True)
class ActionInput(Drawn, TextInput):
    """A pen trajectory to read."""

    prefixed = False

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return ActionInputEmbedder(config, shared[TABLE])


@dataclasses.dataclass(frozen=True)
class ActionTarget(Drawn, TextTarget):
    """A pen trajectory to draw, then EOS."""

    def detokenize(self, rendered: np.ndarray) -> np.ndarray:
        """Returns the points float32 [n, 3]; broken groups are left out."""
        return ids_to_strokes(rendered, self.vocabulary)

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return ActionTargetEmbedder(config, shared[TABLE])


class ActionInputEmbedder(TextInputEmbedder):
    """As text, and every token is told whether it is a y, an x or a pen: rotary positions only tell distances."""

    def setup(self):
        super().setup()
        self.role_embedding = role_embedding(self)

    def __call__(self, features: dict[str, Array], *, deterministic: bool = True) -> InputSequence:
        sequence = super().__call__(features, deterministic=deterministic)
        roles = self.role_embedding[features["positions"] % ROLES].astype(self.config.dtype)
        return sequence.replace(embeddings=sequence.embeddings + roles)


class ActionTargetEmbedder(TextTargetEmbedder):
    """As text, and every place is told whether a y, an x or a pen is to be written."""

    def setup(self):
        super().setup()
        self.role_embedding = role_embedding(self)

    def embed(
        self, tokens: Int[Array, "*B"], positions: Int[Array, "*B"]
    ) -> tuple[Float[Array, "*B D"], Float[Array, "*B half"]]:
        """Embeds decoder inputs at their positions."""
        embeddings, angles = super().embed(tokens, positions)
        return embeddings + self.role_embedding[positions % ROLES].astype(self.config.dtype), angles


def role_embedding(embedder: Embedder) -> Float[Array, "roles D"]:
    """The learned vectors of the three numbers of a point."""
    init = nn.with_logical_partitioning(nn.initializers.normal(0.5), ("abspos_buckets", "embed"))
    return embedder.param("role_embedding", init, (ROLES, embedder.config.emb_dim), jnp.float32)
