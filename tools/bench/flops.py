"""Counts the floating point operations of a training step: of its static shapes, and of what is real in them.

Only products of matrices and convolutions count, as in the program that JAX traces. Knows no modality by name: an
embedder is traced on one item, rows and heads are products whose sizes the config gives.
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.extend import core

from unified_io.data.batch import ExampleFeatures
from unified_io.data.budgets import Budgets
from unified_io.modalities.base import Modality
from unified_io.model import Network, UnifiedIOConfig

# Forward, and backward to the input and to the weights.
_TRAINED = 3.0


def count(function: Callable[..., Any], *args: Any) -> float:
    """Counts the operations of a function of arrays or their shapes, without running it."""
    return _count(jax.make_jaxpr(function)(*args).jaxpr)


def _count(jaxpr: core.Jaxpr) -> float:
    total = 0.0
    for equation in jaxpr.eqns:
        params, out = equation.params, equation.outvars[0].aval if equation.outvars else None
        if equation.primitive.name == "dot_general":
            left, ((contracted, _), _) = equation.invars[0].aval.shape, params["dimension_numbers"]
            total += 2.0 * math.prod(out.shape) * math.prod(left[i] for i in contracted)
        elif equation.primitive.name == "conv_general_dilated":
            kernel = equation.invars[1].aval.shape
            total += (
                2.0
                * math.prod(out.shape)
                * math.prod(kernel)
                / kernel[params["dimension_numbers"].rhs_spec[0]]
            )
        else:
            times = params["length"] if equation.primitive.name == "scan" else 1
            total += times * sum(map(_count, _inner(params)))
    return total


def _inner(params: dict[str, Any]) -> list[core.Jaxpr]:
    leaves = jax.tree.leaves(
        list(params.values()), is_leaf=lambda x: isinstance(x, core.Jaxpr | core.ClosedJaxpr)
    )
    closed = [leaf.jaxpr if isinstance(leaf, core.ClosedJaxpr) else leaf for leaf in leaves]
    return [leaf for leaf in closed if isinstance(leaf, core.Jaxpr)]


class StepFlops:
    """Operations of one training step: forward, and backward through all that is trained.

    Attributes:
      inputs: Of one item of every input modality, by name.
      targets: Of one item of every target modality, its logits included.
    """

    def __init__(self, config: UnifiedIOConfig, shapes: Any):
        """Traces the embedders.

        Args:
          config: The model.
          shapes: Of its parameters, from `model.shapes`.
        """
        self.config, self._network = config, Network(config)
        width = config.backbone.emb_dim
        self.inputs = {m.name: self._item(m, "input_embedders", shapes) for m in config.inputs}
        self.targets = {
            m.name: self._item(m, "target_embedders", shapes)
            + _TRAINED * 2.0 * width * m.slot_size * _vocabulary_size(m)
            for m in config.targets
        }

    def _item(self, modality: Modality, side: str, shapes: Any) -> float:
        """Traces the embedder on one item; what is frozen is not traced backward."""
        bank = {key: value[None] for key, value in modality.empty(1).items()}
        embed = nn.apply(
            lambda network: getattr(network, side)[modality.name](bank).embeddings.sum(), Network(self.config)
        )
        return count(jax.grad(lambda params: embed({"params": params})), shapes)

    def row(self, encoder: Any, decoder: Any) -> Any:
        """Of rows of `encoder` and `decoder` tokens in which every token looks at every other; numbers or arrays.

        The half that a causal mask hides counts too: it is no padding.
        """
        b = self.config.backbone
        heads = b.num_heads * b.head_dim
        projection, mlp, pair = 2.0 * b.emb_dim * heads, 6.0 * b.emb_dim * b.mlp_dim, 4.0 * heads
        encoding = encoder * (4 * projection + mlp) + pair * encoder**2
        decoding = (
            decoder * (6 * projection + mlp) + pair * decoder * (decoder + encoder) + encoder * 2 * projection
        )
        return _TRAINED * (b.num_encoder_layers * encoding + b.num_decoder_layers * decoding)

    def batch(self, budgets: Budgets) -> float:
        """Of the static shape of a batch, whatever is in it."""
        rows = budgets.rows * self.row(budgets.encoder_length, budgets.decoder_length)
        inputs = sum(self.inputs[name] * items for name, items in budgets.inputs.items())
        return rows + inputs + sum(self.targets[name] * items for name, items in budgets.targets.items())

    def example(self, features: ExampleFeatures) -> float:
        """Of one example in a row of its own length; an item that is partly masked counts by its real part."""
        tokens, items = [], 0.0
        for modalities, costs, side in (
            (self.config.inputs, self.inputs, "inputs"),
            (self.config.targets, self.targets, "targets"),
        ):
            real = {m.name: np.asarray(m.slots(features[side][m.name])) for m in modalities}
            tokens.append(sum(int(slots.sum()) for slots in real.values()))
            items += sum(costs[name] * slots.sum() / slots.shape[1] for name, slots in real.items())
        return float(self.row(*tokens) + items)


def _vocabulary_size(modality: Any) -> int:
    return modality.vocabulary.size if hasattr(modality, "vocabulary") else modality.vocab_size
