"""The perceiver resampler: learned latents that look at tokens. It never knows which encoder made them."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from unified_io import errors
from unified_io.connectors.base import ConnectorConfig, Instruction
from unified_io.nn.attention import Attention
from unified_io.nn.dense import Dense
from unified_io.nn.mlp import Mlp
from unified_io.nn.norm import LayerNorm, RMSNorm
from unified_io.nn.parameter import parameter

KEYS = ("media", "media+latents")
NORMS = ("rms", "layer")


@dataclass(frozen=True, kw_only=True)
class ResamplerConfig(ConnectorConfig):
    """A resampler. The defaults are Unified-IO 2's large; xl and xxl are wider, xxl has scaled cosine for qk_norm.

        published          keys           context norm  norm   attention          activation  tokens of width
        Unified-IO 2       media          shared        rms    qk_norm or cosine  gelu_tanh   `width`
        Flamingo, Idefics  media+latents  per layer     layer  plain              relu        `width`
        Lynx               media          per layer     layer  plain              gelu        any

    Attributes:
      num_latents: Soft tokens that come out, 32 for an image and 16 for a sound in Unified-IO 2.
      cross_attention_layers: Layers whose latents look at the tokens; in the others they look at each other.
        None is all layers, as in all published models.
      activation: "gelu_tanh" is what Unified-IO 2 was trained with.
      keys: What the latents look at: the tokens, or with "media+latents" each other too, in one attention.
      norm: A name of `NORMS`, for all norms but those of queries and keys.
      shared_context_norm: One norm of the tokens for all layers; else each layer has its own.
      latent_scale: Standard deviation of the latents at the start, 1 in Flamingo and Lynx; None is 1 / sqrt(width).
      out_width: Numbers a soft token, by a matrix behind the last norm; None leaves `width`.
      dtype: Compute dtype.
    """

    width: int = 768
    num_heads: int = 12
    head_dim: int = 64
    num_layers: int = 2
    mlp_dim: int = 2048
    num_latents: int = 32
    cross_attention_layers: tuple[int, ...] | None = None
    qk_norm: bool = True
    scaled_cosine: bool = False
    activation: str = "gelu_tanh"
    keys: str = "media"
    norm: str = "rms"
    shared_context_norm: bool = True
    latent_scale: float | None = None
    out_width: int | None = None
    dtype: str = "float32"

    def __post_init__(self):
        if self.keys not in KEYS:
            raise errors.unknown("keys", self.keys, KEYS)
        if self.norm not in NORMS:
            raise errors.unknown("norm", self.norm, NORMS)
        if self.cross_attention_layers is None:
            return
        layers = tuple(self.cross_attention_layers)  # gin hands lists over
        object.__setattr__(self, "cross_attention_layers", layers)
        if not set(layers) <= set(range(self.num_layers)):
            raise errors.ConfigError(
                f"cross_attention_layers {layers} but the layers are 0 to {self.num_layers - 1}"
            )

    def looks_at_tokens(self, layer: int) -> bool:
        """Whether the latents of a layer look at the tokens, not at each other."""
        return self.cross_attention_layers is None or layer in self.cross_attention_layers

    def make_norm(self, name: str) -> nn.Module:
        """Makes one of the resampler's norms."""
        if self.norm == "rms":
            return RMSNorm(dtype=self.dtype, name=name)
        return LayerNorm(1e-5, dtype=self.dtype, name=name)

    def soft_tokens(self, tokens: int) -> int:
        return self.num_latents


class ResamplerBlock(nn.Module):
    """`z += attention(norm(z), context); z += mlp(norm(z))`; without a context the latents look at each other."""

    config: ResamplerConfig

    @nn.compact
    def __call__(
        self,
        latents: Float[Array, "B Q W"],
        context: Float[Array, "B S C"] | None = None,
        mask: Bool[Array, "B S"] | None = None,
    ) -> Float[Array, "B Q W"]:
        config = self.config
        name = "attention" if context is None else "xattention"
        attention = Attention(
            config.width,
            config.num_heads,
            config.head_dim,
            qk_norm=config.qk_norm,
            scaled_cosine=config.scaled_cosine,
            dtype=config.dtype,
            name=name,
        )
        h = config.make_norm(f"pre_{name}_layer_norm")(latents)
        if context is not None:
            if not config.shared_context_norm:
                context = config.make_norm("context_norm")(context)
            if config.keys == "media+latents":
                context = jnp.concatenate([context, h], axis=1)
                mask = jnp.pad(mask, ((0, 0), (0, h.shape[1])), constant_values=True)
        seen = None if mask is None else mask[:, None, None, :]
        latents = latents + attention(h, context, mask=seen)
        h = config.make_norm("pre_mlp_layer_norm")(latents)
        return latents + Mlp(config.mlp_dim, config.activation, dtype=config.dtype, name="mlp")(h)


class Resampler(nn.Module):
    """Tokens to `num_latents` soft tokens. A `Connector`; it ignores `pooled` and `instruction` and drops nothing.

    Source: Flamingo's perceiver resampler, as the history encoder of Unified-IO 2, AnyMAL and Lynx use it.
    """

    config: ResamplerConfig = ResamplerConfig()

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
        """Resamples; what comes out of a row without any real token means nothing.

        Raises:
          ConfigError: Tokens and latents of different widths are to be keys together.
        """
        config = self.config
        if config.keys == "media+latents" and tokens.shape[-1] != config.width:
            raise errors.ConfigError(
                f"tokens of width {tokens.shape[-1]} can not be keys beside latents of width {config.width}; "
                f"set width={tokens.shape[-1]} and out_width to the backbone's, or keys='media'"
            )
        shape = (config.num_latents, config.width)
        scale = config.width**-0.5 if config.latent_scale is None else config.latent_scale
        init = nn.initializers.normal(scale)
        latents = parameter(self, "resampler_latents", init, shape, ("length", "embed"))
        latents = jnp.broadcast_to(latents.astype(config.dtype), (tokens.shape[0], *shape))
        context = config.make_norm("context_norm")(tokens) if config.shared_context_norm else tokens
        for i in range(config.num_layers):
            seen = (context, mask) if config.looks_at_tokens(i) else ()
            latents = ResamplerBlock(config, name=f"layers_{i}")(latents, *seen)
        latents = config.make_norm("perceiver_norm")(latents)
        if config.out_width is None:
            return latents
        return Dense(config.out_width, ("image_patch", "embed"), dtype=config.dtype, name="projection")(
            latents
        )
