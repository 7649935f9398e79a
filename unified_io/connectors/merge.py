"""Several segments of one medium (frames of a video, clips of a sound) through one connector."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from unified_io import errors
from unified_io.connectors.base import Connector, ConnectorConfig, Instruction
from unified_io.connectors.linear import mean
from unified_io.nn.parameter import parameter

KINDS = ("per_segment", "concat_tokens", "mean_pool")


@dataclass(frozen=True, kw_only=True)
class MergeConfig:
    """How the segments of a medium become one; a medium of one segment may have any.

        per_segment    the connector reads each by itself, soft tokens follow one another (X-InstructBLIP, histories)
        concat_tokens  it reads the tokens of all at once (Lynx)
        mean_pool      it reads their mean, token by token and pooled (S3's clips)

    Attributes:
      positions: For "concat_tokens", segments that have a learned vector which is added to their tokens, 5 in Lynx;
        0 for none.
    """

    kind: str = "per_segment"
    positions: int = 0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise errors.unknown("merge", self.kind, KINDS)
        if self.positions and self.kind != "concat_tokens":
            raise errors.ConfigError(
                f"positions is {self.positions} but {self.kind} has none; set kind='concat_tokens', or positions=0"
            )

    def soft_tokens(self, connector: ConnectorConfig, segments: int, tokens: int) -> int:
        """How many soft tokens come out of `segments` of `tokens` each."""
        if self.kind == "per_segment":
            return segments * connector.soft_tokens(tokens)
        return connector.soft_tokens(segments * tokens if self.kind == "concat_tokens" else tokens)

    def soft_mask(self, connector: ConnectorConfig, mask: Bool[Array, "B N S"]) -> Bool[Array, "B K"]:
        """Which soft tokens are real; a segment without any real token gives none that is."""
        rows, segments, tokens = mask.shape
        if self.kind == "per_segment":
            return connector.soft_mask(mask.reshape(rows * segments, tokens)).reshape(rows, -1)
        if self.kind == "concat_tokens":
            return connector.soft_mask(mask.reshape(rows, segments * tokens))
        return connector.soft_mask(jnp.any(mask, axis=1))


class Merge(nn.Module):
    """A connector around a connector: tokens of segments `[B, N, S, C]` to soft tokens `[B, K, D]`.

    `config.soft_mask` says which of them are real.
    """

    config: MergeConfig
    connector: Connector

    @nn.compact
    def __call__(
        self,
        tokens: Float[Array, "B N S C"],
        mask: Bool[Array, "B N S"],
        *,
        pooled: Float[Array, "B N P"] | None = None,
        instruction: Instruction | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B K D"]:
        """Connects a batch of media.

        Args:
          mask: True = a real token; a segment without any is not there.
          pooled: One vector a segment.
          instruction: One a medium; every segment is read with that of its own medium.

        Raises:
          ConfigError: There are more segments than positions.
        """
        kind, (rows, segments, size, width) = self.config.kind, tokens.shape
        if kind == "per_segment":
            # Rows are (medium, segment) with the segment last, of tokens and instructions alike.
            soft = self.connector(
                tokens.reshape(rows * segments, size, width),
                mask.reshape(rows * segments, size),
                pooled=None if pooled is None else pooled.reshape(rows * segments, -1),
                instruction=jax.tree.map(lambda x: jnp.repeat(x, segments, axis=0), instruction),
                deterministic=deterministic,
            )
            return soft.reshape(rows, -1, soft.shape[-1])
        if pooled is not None:
            pooled = mean(pooled, jnp.any(mask, axis=2))
        if kind == "concat_tokens":
            tokens = self._placed(tokens).reshape(rows, segments * size, width)
            mask = mask.reshape(rows, segments * size)
        else:
            places = tokens.transpose(0, 2, 1, 3).reshape(rows * size, segments, width)
            real = mask.transpose(0, 2, 1)
            tokens = mean(places, real.reshape(rows * size, segments)).reshape(rows, size, width)
            mask = jnp.any(real, axis=2)
        return self.connector(
            tokens, mask, pooled=pooled, instruction=instruction, deterministic=deterministic
        )

    def _placed(self, tokens: Float[Array, "B N S C"]) -> Float[Array, "B N S C"]:
        number, segments = self.config.positions, tokens.shape[1]
        if not number:
            return tokens
        if segments > number:
            raise errors.ConfigError(
                f"{segments} segments but positions for {number}; take fewer segments, or set positions={segments}"
            )
        init = nn.initializers.normal(0.02)  # Lynx truncates at 2, a hundred deviations away
        shape = (number, tokens.shape[-1])
        table = parameter(self, "segment_positions", init, shape, ("abspos_buckets", "embed"))
        return tokens + table[:segments, None].astype(tokens.dtype)
