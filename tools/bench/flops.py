"""Counts the floating point operations of a training step: of its static shapes, and of what is real in them.

Only products of matrices and convolutions count, as in the program that JAX traces. Knows no modality by name: an
embedder is traced on one item, rows and heads are products whose sizes the config gives.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.extend import core
from jaxtyping import Int

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
        return self._layers(encoder, decoder, (encoder**2, decoder**2, decoder * encoder))

    def _layers(self, encoder: Any, decoder: Any, pairs: tuple[Any, Any, Any]) -> Any:
        """Of all layers, by tokens of either side and pairs that look at each other: in encoder, decoder, across."""
        b = self.config.backbone
        heads = b.num_heads * b.head_dim
        projection, mlp, pair = 2.0 * b.emb_dim * heads, 6.0 * b.emb_dim * b.mlp_dim, 4.0 * heads
        encoding = encoder * (4 * projection + mlp) + pair * pairs[0]
        decoding = decoder * (6 * projection + mlp) + encoder * 2 * projection + pair * (pairs[1] + pairs[2])
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

    def useful(self, batch: Mapping[str, Any]) -> float:
        """Of what is real in a batch of `data.batch.assemble`, and of no pair of tokens that a mask hides.

        With s and t real tokens of the encoder and the decoder, s_i and t_i those of example i, t_j those of a target
        stream j, D the width, A heads times their size, F the MLP's width, E and L the layers:

            3 [E (s (8 D A + 6 D F) + 4 A sum s_i^2)
               + L (t (12 D A + 6 D F) + 4 D A s + 4 A (sum t_j (t_j + 1) / 2 + sum t_i s_i))]
            + sum over modalities of (real tokens / tokens of an item) x operations of an item

        3 is forward, and backward to inputs and to weights; an item's operations are those of its embedder, traced, and
        of its logits. What is frozen counts forward only; recomputation counts nothing.
        """
        encoder, decoder = (np.asarray(batch[side]["segment_ids"]) for side in ("encoder", "decoder"))
        s, t = (_tokens_of_segments(ids) for ids in (encoder, np.asarray(batch["decoder"]["example_ids"])))
        both = min(s.shape[1], t.shape[1])
        streams = _tokens_of_segments(decoder)
        pairs = (s**2).sum(), (streams * (streams + 1)).sum() / 2, (s[:, :both] * t[:, :both]).sum()
        items = _items(self.config.inputs, self.inputs, batch["inputs"], batch["encoder"]["slots"])
        items += _items(self.config.targets, self.targets, batch["targets"], batch["decoder"]["slots"])
        return float(self._layers(s.sum(), t.sum(), pairs) + items)


def _tokens_of_segments(segment_ids: Int[np.ndarray, "*R L"]) -> Int[np.ndarray, "B segments"]:
    """Counts the tokens of segments 1, 2, … of every row."""
    rows = segment_ids.reshape(-1, segment_ids.shape[-1])
    return np.stack([np.bincount(row, minlength=rows.max() + 1)[1:] for row in rows])


def _items(
    modalities: Sequence[Modality], costs: Mapping[str, float], banks: Mapping[str, Any], slots: Any
) -> float:
    """Of the items whose tokens lie in rows; one that is partly masked counts by its real part."""
    total, first = 0.0, 0
    for m in modalities:
        places = next(iter(banks[m.name].values())).shape[1] * m.slot_size
        real = ((first <= np.asarray(slots)) & (np.asarray(slots) < first + places)).sum()
        total += costs[m.name] * real / m.slot_size
        first += places
    return total


def _vocabulary_size(modality: Any) -> int:
    return modality.vocabulary.size if hasattr(modality, "vocabulary") else modality.vocab_size
