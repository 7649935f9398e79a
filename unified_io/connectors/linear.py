"""Connectors without attention: a matrix a token, two of them, and one vector spread over K soft tokens."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import variance_scaling
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from unified_io import errors
from unified_io.connectors.base import ConnectorConfig, Instruction
from unified_io.nn.dense import Dense
from unified_io.nn.mlp import activation
from unified_io.nn.norm import LayerNorm

POOLS = ("mean", "given")

# Uniform with variance 1 / (3 fan_in), as the layers of PyTorch begin; the published connectors left them so.
_INIT = variance_scaling(1 / 3, "fan_in", "uniform")
_EPSILON = 1e-5


def _dense(features: int, axes: tuple[str, str], dtype: DTypeLike, name: str) -> Dense:
    return Dense(features, axes, use_bias=True, kernel_init=_INIT, dtype=dtype, name=name)


def _norm(dtype: DTypeLike, name: str) -> LayerNorm:
    return LayerNorm(_EPSILON, dtype=dtype, name=name)


@dataclass(frozen=True, kw_only=True)
class EveryTokenConfig(ConnectorConfig):
    """A connector that gives one soft token a token.

    Attributes:
      out_width: Numbers a soft token.
      pre_norm: LayerNorm of the tokens first.
      dtype: Compute dtype.
    """

    out_width: int
    pre_norm: bool = False
    dtype: str = "float32"

    def soft_tokens(self, tokens: int) -> int:
        return tokens

    def soft_mask(self, mask: Bool[Array, "B S"]) -> Bool[Array, "B S"]:
        return mask


@dataclass(frozen=True, kw_only=True)
class LinearConfig(EveryTokenConfig):
    """One matrix for all tokens."""


@dataclass(frozen=True, kw_only=True)
class MlpConfig(EveryTokenConfig):
    """Two matrices with an activation between: LLaVA's two layers, or the `mlp` bridge of Lynx's code.

    Attributes:
      hidden_dim: Numbers between the two; LLaVA has `out_width`, Lynx twice the tokens' width.
      hidden_norm: LayerNorm before the activation, as Lynx has.
    """

    hidden_dim: int
    activation: str = "gelu"
    hidden_norm: bool = False


@dataclass(frozen=True, kw_only=True)
class PooledToTokensConfig(ConnectorConfig):
    """One vector a row to `num_tokens` soft tokens: a matrix whose result is cut into tokens.

        AnyMAL          given -> 32 x D
        S3              given, unit length -> hidden -> 4 x D, dropout after both
        X-InstructBLIP  mean  -> 32 x 768, and every token -> D

    Attributes:
      out_width: Numbers a soft token.
      pool: "given" reads the encoder's pooled vector, "mean" averages its real tokens.
      unit_length: Divide the vector by its length first.
      hidden_dim: Numbers of a layer before; None has no such layer.
      activation: Of that layer; None, as in S3's code, leaves two matrices that are one without dropout.
      token_width: Numbers a token is cut to before a matrix of its own; None cuts to `out_width` and ends there.
      dropout_rate: After each of the first two matrices.
      dtype: Compute dtype.
    """

    num_tokens: int
    out_width: int
    pool: str = "mean"
    unit_length: bool = False
    hidden_dim: int | None = None
    activation: str | None = None
    token_width: int | None = None
    dropout_rate: float = 0.0
    dtype: str = "float32"

    def __post_init__(self):
        if self.pool not in POOLS:
            raise errors.unknown("pool", self.pool, POOLS)
        if self.activation is not None and self.hidden_dim is None:
            raise errors.ConfigError(
                f"activation {self.activation!r} has no layer to follow; set hidden_dim, or leave activation out"
            )

    def soft_tokens(self, tokens: int) -> int:
        return self.num_tokens


class Linear(nn.Module):
    """A `Connector` that knows nothing but the token at hand; it ignores the mask, `pooled` and `instruction`."""

    config: LinearConfig

    @nn.compact
    def __call__(
        self,
        tokens: Float[Array, "B S C"],
        mask: Bool[Array, "B S"],
        *,
        pooled: Float[Array, "B P"] | None = None,
        instruction: Instruction | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B S D"]:
        config = self.config
        if config.pre_norm:
            tokens = _norm(config.dtype, "pre_norm")(tokens)
        return _dense(config.out_width, ("image_patch", "embed"), config.dtype, "projection")(tokens)


class Mlp(nn.Module):
    """A `Connector` as `Linear` is, with a hidden layer."""

    config: MlpConfig

    @nn.compact
    def __call__(
        self,
        tokens: Float[Array, "B S C"],
        mask: Bool[Array, "B S"],
        *,
        pooled: Float[Array, "B P"] | None = None,
        instruction: Instruction | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B S D"]:
        config = self.config
        if config.pre_norm:
            tokens = _norm(config.dtype, "pre_norm")(tokens)
        hidden = _dense(config.hidden_dim, ("embed", "mlp"), config.dtype, "wi")(tokens)
        if config.hidden_norm:
            hidden = _norm(config.dtype, "hidden_norm")(hidden)
        hidden = activation(config.activation)(hidden)
        return _dense(config.out_width, ("mlp", "embed"), config.dtype, "wo")(hidden)


class PooledToTokens(nn.Module):
    """A `Connector` of one vector a row; it ignores `instruction`, and `pooled` where it takes the mean."""

    config: PooledToTokensConfig

    @nn.compact
    def __call__(
        self,
        tokens: Float[Array, "B S C"],
        mask: Bool[Array, "B S"],
        *,
        pooled: Float[Array, "B P"] | None = None,
        instruction: Instruction | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B K D"]:
        """Pools, and spreads what is pooled over the soft tokens.

        Raises:
          ConfigError: The pooled vector is to be read and there is none.
        """
        config = self.config
        x = mean(tokens, mask) if config.pool == "mean" else pooled
        if x is None:
            raise errors.ConfigError(
                "pool is 'given' but this encoder gives no pooled vector; set pool='mean', "
                "or choose an encoder that pools"
            )
        if config.unit_length:
            x = x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
        dropout = nn.Dropout(config.dropout_rate)
        if config.hidden_dim is not None:
            x = _dense(config.hidden_dim, ("embed", "mlp"), config.dtype, "hidden")(x)
            if config.activation is not None:
                x = activation(config.activation)(x)
            x = dropout(x, deterministic=deterministic)
        width = config.out_width if config.token_width is None else config.token_width
        x = _dense(config.num_tokens * width, ("mlp", "embed"), config.dtype, "spread")(x)
        x = dropout(x, deterministic=deterministic).reshape(-1, config.num_tokens, width)
        if config.token_width is None:
            return x
        return _dense(config.out_width, ("image_patch", "embed"), config.dtype, "projection")(x)


def mean(tokens: Float[Array, "B S C"], mask: Bool[Array, "B S"]) -> Float[Array, "B C"]:
    """Returns the mean of the real tokens of each row; zero where there is none."""
    total = jnp.sum(jnp.where(mask[..., None], tokens, 0), axis=1)
    return total / jnp.maximum(jnp.sum(mask, axis=1), 1)[:, None].astype(tokens.dtype)
