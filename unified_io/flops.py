"""Floating point operations of a training step, by part: of its static shapes, and of what is real in them.

`FORMULA` says what counts. Embedders and heads are traced, so they count as they are written. Knows no modality by
name.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.extend import core
from jaxtyping import Int

from unified_io.data.batch import ExampleFeatures
from unified_io.data.budgets import Budgets, Lengths
from unified_io.modalities.base import Modality
from unified_io.model import UnifiedIOConfig, parameter_shapes

FORMULA = """\
Products of matrices and convolutions, 2 operations a multiply-add; what is trained 3 times its forward pass (forward,
backward to the input, backward to the weights), a tokenizer or frozen encoder once, recomputation not at all. Forward,
with width D, H heads of size K, MLP width M, and e and d tokens on the two sides, a layer takes
  encoder   8 D H K e + 4 H K ee + 6 D M e
  decoder   8 D H K d + 4 H K dd + 4 D H K (d + e) + 4 H K ed + 6 D M d
and embedders and heads what their items take. ee, dd and ed are pairs of a query and a key: of whole rows e e, d d and
e d, which is what is computed. Useful are real tokens, items by their real part, and pairs that no mask hides: with e_i
and d_i tokens of example i and t_j of a target of it, the sums of e_i e_i, t_j (t_j + 1) / 2 and e_i d_i. A language
model is one stack of the tokens of both sides; where it has fewer heads of keys, G, a layer takes
  4 D K (H + G) (e + d) + 4 H K (ee + dd + ed) + 6 D M (e + d)"""

# Forward, backward to the input, and backward to the weights.
_TRAINED = 3.0
_EMBEDDER = re.compile(r"(input|target)_embedders_(\w+)(\.logits)?\)*/?(?:shared_)?(\w*)")

Parts = dict[str, float]


class StepFlops:
    """Operations of training steps of one model, by part.

    Parts are `inputs/<modality>/<module>`, `targets/<modality>/<module>`, `encoder/…`, `decoder/…` and
    `heads/<modality>`. What gradient checkpointing computes again is no part: see `recomputed`.
    """

    def __init__(self, config: UnifiedIOConfig):
        """Traces embedders and heads; nothing is compiled."""
        self.config = config
        one = self._items_of_each(1)
        # What is done once, however many items a bank has (a position table is resized), is in both counts.
        self._each = self._items_of_each(2) - one
        self._once = one - self._each

    def batch(self, budgets: Budgets) -> Parts:
        """Counts a step on one group of this shape, whatever is in it."""
        rows, e, d = budgets.rows, budgets.encoder_length, budgets.decoder_length
        items = self._items(budgets.inputs, budgets.targets)
        items.update(self._once)
        return self._rows(rows * e, rows * d, rows * e * e, rows * d * d, rows * e * d) | items

    def useful_in(self, batch: Mapping[str, Any]) -> Parts:
        """Counts what is real in a batch of `data.batch.assemble`, and no pair of tokens that a mask hides.

        An item that is partly masked counts by its real part.
        """
        streams, examples = (np.asarray(batch["decoder"][key]) for key in ("segment_ids", "example_ids"))
        e, d = _tokens_by_segment(np.asarray(batch["encoder"]["segment_ids"])), _tokens_by_segment(examples)
        t, both = _tokens_by_segment(streams), min(e.shape[1], d.shape[1])
        pairs = (e**2).sum(), (t * (t + 1)).sum() / 2, (e[:, :both] * d[:, :both]).sum()
        rows = self._rows(*(float(x) for x in (e.sum(), d.sum(), *pairs)))
        return rows | self._items(*real_items(batch, self.config))

    def useful(self, examples: Sequence[Lengths]) -> Parts:
        """Counts what examples need as far as lengths tell: one target stream each, and whole items."""
        e, d = (np.array([getattr(x, side) for x in examples], float) for side in ("encoder", "decoder"))
        inputs = {m.name: sum(x.inputs[m.name] for x in examples) for m in self.config.inputs}
        targets = {m.name: sum(x.targets[m.name] for x in examples) for m in self.config.targets}
        rows = self._rows(*(float(x.sum()) for x in (e, d, e * e, d * (d + 1) / 2, e * d)))
        return rows | self._items(inputs, targets)

    def unpadded(self, features: ExampleFeatures) -> Parts:
        """Counts a step on a row that one example fills: also pairs that the causal mask hides."""
        real = []
        for side, modalities in (("inputs", self.config.inputs), ("targets", self.config.targets)):
            slots = {m.name: np.asarray(m.slots(features[side][m.name])) for m in modalities}
            real.append({name: (int(x.sum()), x.sum() / x.shape[1]) for name, x in slots.items()})
        e, d = (sum(tokens for tokens, _ in side.values()) for side in real)
        items = ({name: count for name, (_, count) in side.items()} for side in real)
        return self._rows(e, d, e * e, d * d, e * d) | self._items(*items)

    def recomputed(self, budgets: Budgets) -> float:
        """Counts what `remat` does again in a step on one group: at most the forward pass of all blocks."""
        if self.config.backbone.remat == "none":
            return 0.0
        stacks = tuple(f"{name}/" for name in self.config.stacks)
        return sum(n for part, n in self.batch(budgets).items() if part.startswith(stacks)) / _TRAINED

    def _rows(self, e: float, d: float, ee: float, dd: float, ed: float) -> Parts:
        return {part: _TRAINED * n for part, n in self.config.row_flops(e, d, ee, dd, ed).items()}

    def _items(self, inputs: Mapping[str, float], targets: Mapping[str, float]) -> Counter[str]:
        held = {"inputs": inputs, "targets": targets, "heads": targets}
        found: Counter[str] = Counter()
        for part, cost in self._each.items():
            kind, modality, *_ = part.split("/")
            found[part] = cost * held[kind][modality]
        return found

    def _items_of_each(self, number: int) -> Counter[str]:
        """Counts the embedders and heads of banks of so many items, there and back."""
        config = self.config

        def run(network: Any, hidden: Any) -> Any:
            inputs = ((m, network.input_embedders[m.name]) for m in config.inputs)
            targets = ((m, network.target_embedders[m.name]) for m in config.targets)
            banks = (embed(_bank(m, number)).embeddings.sum() for m, embed in (*inputs, *targets))
            heads = (network.target_embedders[name].logits(x).sum() for name, x in hidden.items())
            return sum(banks) + sum(heads)

        def loss(params: Any, hidden: Any) -> Any:
            return nn.apply(run, config.network())({"params": params}, hidden)

        width, dtype = config.hidden_width, config.backbone.dtype
        places = {m.name: number * m.slot_size for m in config.targets}
        hidden = {name: jax.ShapeDtypeStruct((n, width), dtype) for name, n in places.items()}
        shapes = nn.unbox(parameter_shapes(config))
        return _count(jax.make_jaxpr(jax.grad(loss, argnums=(0, 1)))(shapes, hidden))


def real_items(
    batch: Mapping[str, Any], config: UnifiedIOConfig
) -> tuple[dict[str, float], dict[str, float]]:
    """Counts the items in the banks of the inputs and of the targets whose tokens lie in rows.

    One that is partly masked counts by its real part.
    """
    found = []
    for side, kind, modalities in (
        ("encoder", "inputs", config.inputs),
        ("decoder", "targets", config.targets),
    ):
        slots, first, items = np.asarray(batch[side]["slots"]), 0, {}
        for m in modalities:
            places = bank_size(batch[kind][m.name]) * m.slot_size
            items[m.name] = float(((first <= slots) & (slots < first + places)).sum() / m.slot_size)
            first += places
        found.append(items)
    return found[0], found[1]


def bank_size(bank: Mapping[str, Any]) -> int:
    """Returns how many items a bank [G, items, ...] has room for in a group."""
    return next(iter(bank.values())).shape[1]


def _tokens_by_segment(segment_ids: Int[np.ndarray, "*R L"]) -> Int[np.ndarray, "B segments"]:
    """Counts the tokens of segments 1, 2, … of every row."""
    rows = segment_ids.reshape(-1, segment_ids.shape[-1])
    return np.stack([np.bincount(row, minlength=rows.max() + 1)[1:] for row in rows]).astype(float)


def _bank(modality: Modality, items: int) -> Mapping[str, np.ndarray]:
    return {key: value[None] for key, value in modality.empty(items).items()}


def count(function: Callable[..., Any], *args: Any) -> float:
    """Counts the operations of a function of arrays, or of their shapes, by tracing it."""
    return float(_count(jax.make_jaxpr(function)(*args)).total())


def part_of(stack: str) -> str:
    """Turns the nested modules in which an operation was traced into a part of an embedder or a head; "" is neither."""
    found = _EMBEDDER.search(stack)
    if not found:
        return ""
    side, modality, head, module = found.groups()
    return f"heads/{modality}" if head else f"{side}s/{modality}/{module}"


def _count(program: Any) -> Counter[str]:
    """Counts the operations of a traced program by the part of the model they belong to; "" is no embedder."""
    total: Counter[str] = Counter()
    for equation in getattr(program, "jaxpr", program).eqns:
        part = part_of(str(equation.source_info.name_stack))
        kind, params = equation.primitive.name, equation.params
        if kind == "dot_general":
            ((contracted, _), _), left = params["dimension_numbers"], equation.invars[0].aval.shape
            total[part] += 2.0 * _size(equation) * math.prod(left[axis] for axis in contracted)
        elif kind == "conv_general_dilated":
            kernel, features = equation.invars[1].aval.shape, params["dimension_numbers"].rhs_spec[0]
            total[part] += 2.0 * _size(equation) * math.prod(kernel) / kernel[features]
        else:
            times = params["length"] if kind == "scan" else 1
            for inner in jax.tree.leaves(list(params.values()), is_leaf=_is_program):
                for name, value in _count(inner).items() if _is_program(inner) else ():
                    total[name or part] += times * value
    return total


def _is_program(leaf: Any) -> bool:
    return isinstance(leaf, core.Jaxpr | core.ClosedJaxpr)


def _size(equation: core.JaxprEqn) -> int:
    return math.prod(equation.outvars[0].aval.shape)
