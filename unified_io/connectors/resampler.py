"""The perceiver resampler: learned latents that look at tokens. Projections around it are its caller's."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from unified_io import errors
from unified_io.nn.attention import Attention
from unified_io.nn.mlp import Mlp
from unified_io.nn.norm import RMSNorm
from unified_io.nn.parameter import parameter


@dataclass(frozen=True, kw_only=True)
class ResamplerConfig:
    """A resampler. The defaults are the large model; xl and xxl are wider, xxl has scaled cosine for qk_norm.

    Attributes:
      num_latents: Soft tokens that come out, 32 for an image and 16 for a sound in the released models.
      cross_attention_layers: Layers whose latents look at the tokens; in the others they look at each other.
        None is all layers, as in the released models.
      activation: "gelu_tanh" is what the released models were trained with.
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
    dtype: str = "float32"

    def __post_init__(self):
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


class ResamplerBlock(nn.Module):
    """`z += attention(norm(z), context); z += mlp(norm(z))`.

    Keys come from the context only; without a context the latents look at each other.
    """

    config: ResamplerConfig

    @nn.compact
    def __call__(
        self,
        latents: Float[Array, "B Q W"],
        context: Float[Array, "B S W"] | None = None,
        mask: Bool[Array, "B 1 1 S"] | None = None,
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
        h = RMSNorm(dtype=config.dtype, name=f"pre_{name}_layer_norm")(latents)
        latents = latents + attention(h, context, mask=mask)
        h = RMSNorm(dtype=config.dtype, name="pre_mlp_layer_norm")(latents)
        return latents + Mlp(config.mlp_dim, config.activation, dtype=config.dtype, name="mlp")(h)


class Resampler(nn.Module):
    """Tokens of the resampler's own width to `num_latents` soft tokens. A `Connector`.

    Source: Flamingo's perceiver resampler, as the history encoder of Unified-IO 2 uses it.
    """

    config: ResamplerConfig = ResamplerConfig()

    @nn.compact
    def __call__(self, tokens: Float[Array, "B S W"], mask: Bool[Array, "B S"]) -> Float[Array, "B Q W"]:
        config = self.config
        shape = (config.num_latents, config.width)
        init = nn.initializers.normal(config.width**-0.5)
        latents = parameter(self, "resampler_latents", init, shape, ("length", "embed"))
        latents = jnp.broadcast_to(latents.astype(config.dtype), (tokens.shape[0], *shape))
        context = RMSNorm(dtype=config.dtype, name="context_norm")(tokens)
        for i in range(config.num_layers):
            seen = (context, mask[:, None, None, :]) if config.looks_at_tokens(i) else ()
            latents = ResamplerBlock(config, name=f"layers_{i}")(latents, *seen)
        return RMSNorm(dtype=config.dtype, name="perceiver_norm")(latents)
