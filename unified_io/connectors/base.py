"""What every connector is, and what every connector's config can say. Knows no encoder and no backbone."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Instruction(NamedTuple):
    """What a medium is asked about, in a connector's own text vocabulary.

    Attributes:
      ids: Token ids; where `mask` is False any.
      mask: True = a real token.
    """

    ids: Int[Array, "B L"]
    mask: Bool[Array, "B L"]


@dataclass(frozen=True, kw_only=True)
class ConnectorConfig:
    """What a planner and a merge ask of a connector. Here: a fixed number of soft tokens, `soft_tokens` overridden."""

    def soft_tokens(self, tokens: int) -> int:
        """How many soft tokens come out of a row of `tokens`."""
        raise NotImplementedError

    def soft_mask(self, mask: Bool[Array, "B S"]) -> Bool[Array, "B K"]:
        """Which soft tokens are real: all of a row that holds any real token, none of an empty one."""
        return jnp.repeat(jnp.any(mask, axis=-1, keepdims=True), self.soft_tokens(mask.shape[-1]), axis=-1)


class Connector(Protocol):
    """Reads tokens of a modality encoder and gives soft tokens of the backbone's width.

    Tokens whose mask is False change nothing that is real on the way out, and the order of tokens changes nothing
    unless the connector says so. All are called alike; each reads what it needs:

        linear, mlp          tokens: one soft token each, which is real where the token is
        pooled_to_tokens     `pooled`, or the mean of the real tokens
        resampler            tokens and mask
        qformer              tokens, mask and `instruction`
    """

    config: ConnectorConfig

    def __call__(
        self,
        tokens: Float[Array, "B S C"],
        mask: Bool[Array, "B S"],
        *,
        pooled: Float[Array, "B P"] | None = None,
        instruction: Instruction | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B K D"]:
        """Connects a batch.

        Args:
          mask: True = a real token.
          pooled: One vector a row for all of it, where the encoder has such a thing.
          instruction: Ids and mask in the connector's own vocabulary.
          deterministic: Without dropout.
        """
        ...
