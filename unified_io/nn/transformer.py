"""Pre-norm blocks of the main model, and stacks of blocks: scanned or unrolled, recomputed or kept."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.nn import attention, kept
from unified_io.nn.attention import Attention
from unified_io.nn.held import HELD
from unified_io.nn.kept import Kept, Seen
from unified_io.nn.mlp import GatedMlp
from unified_io.nn.norm import RMSNorm

REMAT = ("none", "full")
DTYPES = ("float32", "bfloat16", "float64")


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """One block of the main model; its methods make the block's parts.

    Attributes:
      emb_dim: Width D.
      dropout_rate: For residual branches and hidden units of the MLP (the same for all tokens of a row), and
        for keys.
      dtype: Compute dtype, a name in `DTYPES`; parameters are made in float32. "float64" asks for `jax_enable_x64` and
        parameters cast to it: laws are checked in it.
      attention_impl: A name of `attention.IMPLEMENTATIONS`.
    """

    emb_dim: int
    num_heads: int
    head_dim: int
    mlp_dim: int
    dropout_rate: float = 0.0
    dtype: str = "float32"
    qk_norm: bool = True
    attention_impl: str = "xla"

    def __post_init__(self):
        if self.attention_impl not in attention.IMPLEMENTATIONS:
            raise errors.unknown("attention_impl", self.attention_impl, attention.IMPLEMENTATIONS)
        if self.dtype not in DTYPES:
            raise errors.unknown("dtype", self.dtype, DTYPES)
        if self.head_dim % 4:
            raise errors.ConfigError(f"head_dim is {self.head_dim}; positions on a grid need a multiple of 4")

    def norm(self) -> RMSNorm:
        """A norm of the stack."""
        return RMSNorm(dtype=self.dtype)

    def attention(self) -> Attention:
        """Self- or cross-attention of a block."""
        return Attention(
            width=self.emb_dim,
            num_heads=self.num_heads,
            head_dim=self.head_dim,
            qk_norm=self.qk_norm,
            dropout_rate=self.dropout_rate,
            impl=self.attention_impl,
            dtype=self.dtype,
        )

    def mlp(self) -> GatedMlp:
        """The feed-forward part of a block."""
        return GatedMlp(self.mlp_dim, dropout_rate=self.dropout_rate, dtype=self.dtype)

    def dropout(self) -> nn.Dropout:
        """Dropout of a residual branch, the same for all tokens of a row."""
        return nn.Dropout(self.dropout_rate, broadcast_dims=(-2,))


class EncoderBlock(nn.Module):
    """`x += attention(norm(x)); x += mlp(norm(x))`."""

    config: BlockConfig

    def setup(self):
        self.pre_attention_layer_norm = self.config.norm()
        self.attention = self.config.attention()
        self.pre_mlp_layer_norm = self.config.norm()
        self.mlp = self.config.mlp()
        self.dropout = self.config.dropout()

    def __call__(
        self,
        x: Float[Array, "B S D"],
        *,
        mask: Bool[Array, "#B 1 #S S"],
        angles: Float[Array, "#B S half"],
        deterministic: bool = True,
    ) -> Float[Array, "B S D"]:
        h = self.attention(
            self.pre_attention_layer_norm(x), mask=mask, angles=angles, deterministic=deterministic
        )
        x = x + self.dropout(h, deterministic=deterministic)
        h = self.mlp(self.pre_mlp_layer_norm(x), deterministic=deterministic)
        return x + self.dropout(h, deterministic=deterministic)


class DecoderBlock(nn.Module):
    """`y += self_attention(norm(y)); y += cross_attention(norm(y), encoded); y += mlp(norm(y))`."""

    config: BlockConfig

    def setup(self):
        self.pre_self_attention_layer_norm = self.config.norm()
        self.self_attention = self.config.attention()
        self.pre_cross_attention_layer_norm = self.config.norm()
        self.encoder_decoder_attention = self.config.attention()
        self.pre_mlp_layer_norm = self.config.norm()
        self.mlp = self.config.mlp()
        self.dropout = self.config.dropout()

    def __call__(
        self,
        y: Float[Array, "B T D"],
        encoded: Float[Array, "B S D"],
        *,
        self_mask: Bool[Array, "#B 1 #T T"],
        cross_mask: Bool[Array, "#B 1 #T S"],
        angles: Float[Array, "#B T half"],
        encoded_angles: Float[Array, "#B S half"],
        deterministic: bool = True,
    ) -> Float[Array, "B T D"]:
        h = self.pre_self_attention_layer_norm(y)
        h = self.self_attention(h, mask=self_mask, angles=angles, deterministic=deterministic)
        y = y + self.dropout(h, deterministic=deterministic)
        cross = self.encoder_decoder_attention
        q = cross.queries(self.pre_cross_attention_layer_norm(y), angles)
        kv = cross.keys_values(encoded, encoded_angles)
        h = cross.read(q, kv, mask=cross_mask, deterministic=deterministic)
        y = y + self.dropout(h, deterministic=deterministic)
        return self._finish(y, deterministic)

    def start_cache(
        self, encoded: Float[Array, "B S D"], encoded_angles: Float[Array, "#B S half"], length: int
    ) -> dict[str, Kept]:
        """Returns room for `length` tokens of self-attention, and keys and values of the encoded tokens."""
        cross = kept.keep(self.encoder_decoder_attention.keys_values(encoded, encoded_angles))
        return {"self": kept.empty(cross, length), "cross": cross}

    def step(
        self,
        y: Float[Array, "B 1 D"],
        own: Kept,
        index: Int[Array, ""],
        *,
        mask: Bool[Array, "#B 1 1 L"],
        encoded: Seen,
        angles: Float[Array, "#B 1 half"],
        places: Int[Array, " L"] | None = None,
    ) -> tuple[Float[Array, "B 1 D"], Kept]:
        """Runs one token; returns its hidden state, and what is kept of it and those before it.

        Args:
          own: What is kept of the tokens before it.
          index: Its place among them.
          mask: Which of them, itself included, it may look at.
          encoded: What is kept of the encoded tokens.
          places: The places `mask` speaks of, where it is not all of them: only these are read.
        """
        h = self.pre_self_attention_layer_norm(y)
        own = kept.write(own, self.self_attention.keys_values(h, angles), index)
        earlier = kept.seen(own if places is None else kept.at(own, places), mask)
        y = y + self.self_attention.recall(self.self_attention.queries(h, angles), earlier)
        q = self.encoder_decoder_attention.queries(self.pre_cross_attention_layer_norm(y), angles)
        y = y + self.encoder_decoder_attention.recall(q, encoded)
        return self._finish(y, deterministic=True), own

    def _finish(self, y, deterministic):
        h = self.mlp(self.pre_mlp_layer_norm(y), deterministic=deterministic)
        return y + self.dropout(h, deterministic=deterministic)


Body = Callable[[nn.Module, Array, Any], tuple[Array, Any]]


def stack(
    layers: nn.Module | Sequence[nn.Module],
    body: Body,
    x: Float[Array, "*B D"],
    per_layer: Sequence[Any] | None = None,
    *,
    num_layers: int,
    remat: str = "none",
) -> tuple[Float[Array, "*B D"], list[Any]]:
    """Carries `x` through the layers: `x, out = body(layer, x, what per_layer has for it)`.

    Args:
      layers: One module: its parameters get a leading axis "layers" and one compiled body is scanned. A
        list of modules: the bodies follow one another.
      per_layer: A tree a layer.
      remat: "full" keeps only `x` between layers and computes the rest again on the way back.

    Returns:
      The last `x`, and what the bodies returned, a tree a layer.
    """
    scanned = isinstance(layers, nn.Module)
    if remat == "full":
        body = nn.remat(body, prevent_cse=not scanned)
    if scanned:
        run = nn.scan(
            body,
            variable_axes={"params": 0, HELD: 0},
            split_rngs={"params": True, "dropout": True},
            length=num_layers,
            metadata_params={nn.PARTITION_NAME: "layers"},
        )
        stacked = None if per_layer is None else jax.tree.map(lambda *leaves: jnp.stack(leaves), *per_layer)
        x, out = run(layers, x, stacked)
        return x, [jax.tree.map(lambda leaf, i=i: leaf[i], out) for i in range(num_layers)]
    outs = []
    for layer, own in zip(layers, [None] * num_layers if per_layer is None else per_layer, strict=True):
        x, out = body(layer, x, own)
        outs.append(out)
    return x, outs


def stack_layers(params: Mapping[str, Any]) -> dict[str, Any]:
    """Turns parameters of an unrolled stack (`layers_0`, `layers_1`, …) into those of a scanned one.

    Everything beside the layers is kept. NumPy stays NumPy. The inverse of `unstack_layers`.

    Raises:
      CheckpointError: The numbers have a gap.
    """
    numbers = sorted(int(name[7:]) for name in params if re.fullmatch(r"layers_\d+", name))
    if not numbers or numbers != list(range(len(numbers))):
        raise errors.CheckpointError(
            f"layers to stack must be layers_0, layers_1, … without a gap; got {numbers}"
        )
    rest = {name: value for name, value in params.items() if not re.fullmatch(r"layers_\d+", name)}
    layers = [params[f"layers_{i}"] for i in numbers]

    def join(*leaves):
        return (np if isinstance(leaves[0], np.ndarray) else jnp).stack(leaves)

    return {**rest, "layers": jax.tree.map(join, *layers)}


def unstack_layers(params: Mapping[str, Any]) -> dict[str, Any]:
    """Turns parameters of a scanned stack into those of an unrolled one; the inverse of `stack_layers`."""
    if "layers" not in params:
        raise errors.CheckpointError(f"no stacked 'layers' to take apart; got {sorted(params)}")
    num_layers = len(jax.tree.leaves(params["layers"])[0])
    layers = {
        f"layers_{i}": jax.tree.map(lambda leaf, i=i: leaf[i], params["layers"]) for i in range(num_layers)
    }
    return {**{name: value for name, value in params.items() if name != "layers"}, **layers}
