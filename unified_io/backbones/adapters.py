"""Trainable parts inside a frozen backbone: low-rank updates of its matrices, and bottlenecks after its blocks."""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.nn.initializers import normal
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from unified_io import errors
from unified_io.nn.dense import Dense
from unified_io.nn.lora import LoRA
from unified_io.nn.mlp import activation
from unified_io.nn.norm import LayerNorm
from unified_io.nn.parameter import parameter
from unified_io.pytree import named_leaves, nested

# The matrices of a block: their name in Hugging Face's words, which LoRA configs everywhere use -> ours.
LINEARS = {
    "q_proj": "query",
    "k_proj": "key",
    "v_proj": "value",
    "o_proj": "out",
    "gate_proj": "wi_0",
    "up_proj": "wi_1",
    "down_proj": "wo",
}
ALL = ("all",)


@dataclass(frozen=True, kw_only=True)
class LoRAConfig:
    """Low-rank updates: `y = x W + alpha / rank * (dropout(x) A) B`; B begins at zero.

    Attributes:
      dropout_rate: Of the numbers of `x`, for the update only.
      targets: Names in `LINEARS`, or `ALL` of them.

    Source: arXiv 2106.09685.
    """

    rank: int
    alpha: float
    dropout_rate: float = 0.0
    targets: tuple[str, ...] = ALL

    def __post_init__(self):
        object.__setattr__(self, "targets", tuple(self.targets))  # gin hands lists over
        if self.rank < 1:
            raise errors.ConfigError(f"LoRA's rank is {self.rank}; give 1 or more, or no LoRA at all")
        if self.targets != ALL:
            for target in self.targets:
                if target not in LINEARS:
                    raise errors.unknown("target of LoRA", target, (*LINEARS, *ALL))

    @property
    def scale(self) -> float:
        """What the product of A and B is multiplied by."""
        return self.alpha / self.rank

    def update(self) -> LoRA:
        """What the matrices of a block are told."""
        targets = LINEARS if self.targets == ALL else self.targets
        names = tuple(LINEARS[target] for target in targets)
        return LoRA(rank=self.rank, scale=self.scale, dropout_rate=self.dropout_rate, names=names)


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """Bottlenecks after some blocks.

    Attributes:
      blocks: Numbers of the blocks that have one, from 0.
      width: Numbers a token in the bottleneck.
      activation: A name in `nn.mlp.ACTIVATIONS`.
      scale: What the learned factor begins at.

    Source: Lynx (arXiv 2307.02469): blocks 0, 2, 4, …, 30 of 32, width 2048 of 4096. The paper puts them after every
      second block and knows no factor; here, as in its code, after the first of two, and with one.
    """

    blocks: tuple[int, ...]
    width: int
    activation: str = "silu"
    scale: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "blocks", tuple(self.blocks))  # gin hands lists over
        activation(self.activation)


class Adapter(nn.Module):
    """`x + scale * up(activation(down(norm(x))))`. It does not begin as the identity: both matrices are N(0, 0.02)."""

    config: AdapterConfig
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B D"]:
        def dense(features: int, axes: tuple[str, str], name: str) -> Dense:
            return Dense(features, axes, use_bias=True, kernel_init=normal(0.02), dtype=self.dtype, name=name)

        scale = parameter(self, "scale", nn.initializers.constant(self.config.scale), (), ())
        hidden = LayerNorm(epsilon=1e-5, dtype=self.dtype, name="norm")(x)
        hidden = activation(self.config.activation)(
            dense(self.config.width, ("embed", "mlp"), "down")(hidden)
        )
        return x + scale.astype(self.dtype) * dense(x.shape[-1], ("mlp", "embed"), "up")(hidden)


def merge(params: Any, config: LoRAConfig) -> dict[str, Any]:
    """Returns parameters whose kernels hold their low-rank updates; these are gone, and dropout with them.

    Args:
      params: Of a model or a part of one, layers apart or stacked.
      config: By which they were trained.

    Raises:
      ConfigError: A kernel with an update is held in few bits, or is not there.
    """
    named = named_leaves(params)
    merged = {}
    for name, leaf in named.items():
        scope, _, last = name.rpartition("/")
        if last == "lora_a":
            kernel = f"{scope}/kernel"
            if kernel not in named:
                raise errors.ConfigError(
                    f"{kernel} is held in few bits, or is not among these parameters; "
                    "merge into the full-precision weights"
                )
            update = config.scale * (leaf @ named[f"{scope}/lora_b"])
            merged[kernel] = (named[kernel] + update).astype(named[kernel].dtype)
    kept = {name: leaf for name, leaf in named.items() if not name.endswith(("/lora_a", "/lora_b"))}
    return nested({**kept, **merged})
