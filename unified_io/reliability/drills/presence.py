"""Every pattern of what an example has and has not, packed and alone: the same loss, and nothing for what is absent."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from unified_io import pytree
from unified_io.convert import folders
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packer import prepare
from unified_io.data.packing import one_per_row, plan
from unified_io.loss import total_loss
from unified_io.model import UnifiedIOConfig, parameter_shapes
from unified_io.reliability.drills import tiny, world
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.verdict import insist

_EXAMPLES = 3
_NEAR = 1e-6
# One shape for everything, so that one program serves all patterns.
_BUDGETS = Budgets(_EXAMPLES, 64, 64, {"text": 48, "image": 3, "audio": 3}, {"text": 48, "image": 3})


def packed_is_alone(ground: Ground) -> str:
    """The loss of packed rows is that of one example a row, in float64; absent modalities have no gradient at all."""
    with jax.enable_x64(True):
        model = in_float64(tiny.model())
        step = _Step(model)
        owned = _owned(model)
        patterns = list(_patterns(model))[:: ground.some(1, 5)]
        for inputs, targets in patterns:
            name = f"{' and '.join(inputs)} to {' and '.join(targets)}"
            examples = [_example(inputs, targets, seed) for seed in range(_EXAMPLES)]
            (alone, slopes), (packed, others) = (step(examples, lay) for lay in (one_per_row, plan))
            off = abs(packed - alone) / abs(alone)
            insist(off <= _NEAR, f"{name}: packed the loss is off by {off:.1e} of it")
            for kind, have in (("input", inputs), ("target", targets)):
                for absent in owned[kind].keys() - set(have):
                    moved = [key for key in owned[kind][absent] if slopes[key].any() or others[key].any()]
                    insist(not moved, f"{name}: {absent} is absent, but {moved[:1]} has a gradient")
        insist(step.traces == 1, f"{step.traces} programs were compiled for one shape of batch")
    return f"{len(patterns)} patterns of presence in float64: packed = alone within {_NEAR:g}, absent: no gradient"


def in_float64(config: Any) -> Any:
    """Returns a config with every `dtype` in it, however deep, turned to float64."""
    if isinstance(config, tuple):
        return tuple(map(in_float64, config))
    if not dataclasses.is_dataclass(config):
        return config
    fields = [field.name for field in dataclasses.fields(config) if field.init]
    changed = {name: in_float64(getattr(config, name)) for name in fields}
    return dataclasses.replace(config, **changed | ({"dtype": "float64"} if "dtype" in changed else {}))


class _Step:
    """Loss and gradients of a batch."""

    def __init__(self, model: UnifiedIOConfig):
        self.traces = 0
        self._model = model
        params = folders.random_params(tiny.model(), seed=2)
        self._params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        self._run = jax.jit(jax.value_and_grad(self._loss))

    def __call__(self, examples: Sequence[Any], lay: Any) -> tuple[float, dict[str, np.ndarray]]:
        model = self._model
        prepared = [prepare(example, model.inputs, model.targets) for example in examples]
        planned = lay([one.lengths for one in prepared], _BUDGETS)
        insist(bool(planned.placed.all()), "the examples of a pattern do not fit their rows")
        batch = assemble([one.features for one in prepared], planned, model.inputs, model.targets)
        batch = jax.tree.map(lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, batch)
        loss, slopes = jax.device_get(self._run(self._params, batch))
        return float(loss), pytree.named_leaves(slopes)

    def _loss(self, params: Any, batch: Any) -> jax.Array:
        self.traces += 1
        return total_loss(self._model.network().apply({"params": params}, batch))[0]


def _owned(model: UnifiedIOConfig) -> dict[str, dict[str, set[str]]]:
    """The parameters that a model has only because of one modality, by kind and name."""

    def names(config: UnifiedIOConfig) -> set[str]:
        return set(pytree.named_leaves(nn.unbox(parameter_shapes(config))))

    everything, owned = names(model), {"input": {}, "target": {}}
    for kind, field in (("input", "inputs"), ("target", "targets")):
        for modality in getattr(model, field):
            rest = tuple(other for other in getattr(model, field) if other is not modality)
            owned[kind][modality.name] = everything - names(dataclasses.replace(model, **{field: rest}))
    return owned


def _patterns(model: UnifiedIOConfig) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """Every choice of inputs and of targets but the empty ones."""
    sides = ([m.name for m in side] for side in (model.inputs, model.targets))
    choices = [
        [chosen for size in range(1, len(names) + 1) for chosen in itertools.combinations(names, size)]
        for names in sides
    ]
    yield from itertools.product(*choices)


def _example(inputs: Sequence[str], targets: Sequence[str], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    raw = {
        "text_inputs": "[Text] [S] what is this?"[: 24 - 3 * seed],
        "image_inputs": rng.random((16, 12 + seed, 3), np.float32),
        "audio_inputs": rng.normal(-4, 2, (8 + 4 * seed, world.MEL.mels)).astype(np.float32),
        "text_targets": "a box of many colours"[: 8 + 3 * seed],
        "image_targets": rng.random((8, 8, 3), np.float32),
    }
    have = {f"{name}_inputs" for name in inputs} | {f"{name}_targets" for name in targets}
    return {key: value for key, value in raw.items() if key in have}
