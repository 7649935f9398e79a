"""The Q-Former: learned queries that read an instruction and, in some layers, tokens. Knows ids, not their words."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from unified_io import errors
from unified_io.connectors.base import ConnectorConfig, Instruction
from unified_io.nn.attention import Attention
from unified_io.nn.dense import Dense
from unified_io.nn.mlp import Mlp
from unified_io.nn.norm import LayerNorm
from unified_io.nn.parameter import parameter

_INIT = nn.initializers.normal(0.02)


@dataclass(frozen=True, kw_only=True)
class QFormerConfig(ConnectorConfig):
    """A Q-Former. The defaults are BLIP-2's and X-InstructBLIP's: BERT-base with 32 queries.

    Attributes:
      out_width: Numbers a soft token: the backbone's width.
      cross_attention_every: Layers 0, n, 2 n, … look at the tokens.
      reads_instruction: Queries and instruction see each other. Else there is no text side at all.
      vocab_size: Of WordPiece, and one more that BLIP-2 adds and nobody writes.
      max_positions: Tokens an instruction may have.
      dropout_rate: On embeddings and residual branches, and on keys.
      epsilon: Of the norms within.
      token_epsilon: Of the norm of the encoder's tokens.
      dtype: Compute dtype.
    """

    out_width: int
    num_queries: int = 32
    width: int = 768
    num_heads: int = 12
    num_layers: int = 12
    mlp_dim: int = 3072
    cross_attention_every: int = 2
    reads_instruction: bool = True
    vocab_size: int = 30523
    max_positions: int = 512
    activation: str = "gelu"
    dropout_rate: float = 0.1
    epsilon: float = 1e-12
    token_epsilon: float = 1e-5
    dtype: str = "float32"

    def __post_init__(self):
        if self.width % self.num_heads:
            raise errors.ConfigError(f"width {self.width} must be a multiple of num_heads {self.num_heads}")

    def soft_tokens(self, tokens: int) -> int:
        return self.num_queries

    def make_norm(self, name: str) -> LayerNorm:
        """Makes one of the norms within."""
        return LayerNorm(self.epsilon, dtype=self.dtype, name=name)

    def make_dropout(self) -> nn.Dropout:
        """Makes what embeddings and branches go through."""
        return nn.Dropout(self.dropout_rate)


class QFormerBlock(nn.Module):
    """All attend to all, queries then to the tokens, and queries and text have an MLP each; norms follow the sums."""

    config: QFormerConfig
    cross: bool

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "B L W"],
        mask: Bool[Array, "B L"],
        tokens: Float[Array, "B S C"],
        token_mask: Bool[Array, "B S"],
        *,
        deterministic: bool,
    ) -> Float[Array, "B L W"]:
        config = self.config
        x = self._attend("attention", x, None, mask, deterministic)
        queries, text = jnp.split(x, [config.num_queries], axis=1)
        if self.cross:
            queries = self._attend("crossattention", queries, tokens, token_mask, deterministic)
        queries = self._mlp("query_mlp", queries, deterministic)
        if not config.reads_instruction:
            return queries
        return jnp.concatenate([queries, self._mlp("text_mlp", text, deterministic)], axis=1)

    def _attend(self, name, x, context, mask, deterministic):
        config = self.config
        attention = Attention(
            config.width,
            config.num_heads,
            config.width // config.num_heads,
            use_bias=True,
            dropout_rate=config.dropout_rate,
            kernel_init=_INIT,
            dtype=config.dtype,
            name=name,
        )
        h = attention(x, context, mask=mask[:, None, None, :], deterministic=deterministic)
        return self._add(name, x, h, deterministic)

    def _mlp(self, name, x, deterministic):
        config = self.config
        mlp = Mlp(
            config.mlp_dim,
            config.activation,
            use_bias=True,
            kernel_init=_INIT,
            dtype=config.dtype,
            name=name,
        )
        return self._add(name, x, mlp(x), deterministic)

    def _add(self, name, x, branch, deterministic):
        branch = self.config.make_dropout()(branch, deterministic=deterministic)
        return self.config.make_norm(f"{name}_norm")(x + branch)


class QFormer(nn.Module):
    """Tokens and an instruction to `num_queries` soft tokens. A `Connector`; it ignores `pooled`.

    Source: BLIP-2 and InstructBLIP; X-InstructBLIP, section 3, for one a modality with a norm of its own before it.
    Where the published code adds -10000 to what is padded, `attend` adds -1e10: in float32 both leave nothing.
    """

    config: QFormerConfig

    @nn.compact
    def __call__(
        self,
        tokens: Float[Array, "B S C"],
        mask: Bool[Array, "B S"],
        *,
        pooled: Float[Array, "B P"] | None = None,
        instruction: Instruction | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B Q D"]:
        """Reads the tokens.

        Raises:
          ConfigError: There is no instruction but the config asks for one, or it is longer than the positions.
        """
        config = self.config
        queries = parameter(self, "queries", _INIT, (config.num_queries, config.width), ("length", "embed"))
        x = jnp.broadcast_to(queries, (tokens.shape[0], *queries.shape))
        seen = jnp.ones(x.shape[:2], bool)
        if config.reads_instruction:
            if instruction is None:
                raise errors.ConfigError(
                    "this Q-Former reads an instruction and was given none; give instruction=(ids, mask) in its "
                    "vocabulary, or set reads_instruction=False"
                )
            ids, real = instruction
            x = jnp.concatenate([x, self._embed(ids)], axis=1)
            seen = jnp.concatenate([seen, real], axis=1)
        x = config.make_norm("embedding_norm")(x)
        x = config.make_dropout()(x, deterministic=deterministic)
        tokens = LayerNorm(config.token_epsilon, dtype=config.dtype, name="token_norm")(tokens)
        for i in range(config.num_layers):
            block = QFormerBlock(config, cross=i % config.cross_attention_every == 0, name=f"layers_{i}")
            x = block(x, seen, tokens, mask, deterministic=deterministic)
        projection = Dense(
            config.out_width,
            ("image_patch", "embed"),
            use_bias=True,
            kernel_init=_INIT,
            dtype=config.dtype,
            name="projection",
        )
        return projection(x[:, : config.num_queries])

    def _embed(self, ids):
        config = self.config
        words = parameter(self, "words", _INIT, (config.vocab_size, config.width), ("vocab", "embed"))
        shape = (config.max_positions, config.width)
        positions = parameter(self, "positions", _INIT, shape, ("abspos_buckets", "embed"))
        length = ids.shape[1]
        if length > config.max_positions:
            raise errors.ConfigError(
                f"an instruction of {length} tokens has only {config.max_positions} positions; cut it from the left"
            )
        # An id outside the table gives NaN, so that it is seen.
        return jnp.take(words, ids, axis=0, mode="fill") + positions[:length]
