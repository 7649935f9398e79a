"""Packed is unpacked: to 1e-6 of every target's loss and of its gradients, in float64, whatever hides what."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import core
from tiny import featurize, tiny_config, tiny_examples

from unified_io import pytree
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure, one_per_row, plan
from unified_io.loss import token_loss
from unified_io.model import Network, UnifiedIOConfig, parameter_shapes

SWITCHES = [
    {"sparse_patterns": sparse, "dynamic_masking": dynamic}
    for sparse in (False, True)
    for dynamic in (False, True)
]
LAYERS = 3  # a row, a column and a convolution
WORTH, ROUNDING = 1e-6, 1e-14
CHOICES = ("select_n", "broadcast_in_dim")  # the two numbers of `masks.to_bias`


@pytest.fixture(scope="module", autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def in_float64(config: Any) -> Any:
    """A config with every `dtype` in it, however deep, turned to float64."""
    if isinstance(config, tuple):
        return tuple(map(in_float64, config))
    if not dataclasses.is_dataclass(config):
        return config
    changed = {field.name: in_float64(getattr(config, field.name)) for field in dataclasses.fields(config)}
    return dataclasses.replace(config, **changed | ({"dtype": "float64"} if "dtype" in changed else {}))


def config_of(**switches: Any) -> UnifiedIOConfig:
    """The small model with everything, its layers scanned."""
    layers = {"num_encoder_layers": 2, "num_decoder_layers": LAYERS, "scan_layers": True}
    return in_float64(tiny_config(**layers, **switches))


def examples() -> list[dict[str, Any]]:
    """What uses every input and every target, and pictures and sounds to restore, parts of which are hidden."""
    return [*tiny_examples(0), *map(restored, range(6)), *tiny_examples(1)]


def restored(seed: int) -> dict[str, Any]:
    """A picture or a sound of which blocks of 4 x 4 are seen at random."""
    rng = np.random.default_rng(seed)
    name = ("image", "audio")[seed % 2]
    raw = rng.random((16, 16, 3), np.float32) if name == "image" else rng.normal(-4, 2, (16, 16))
    seen = np.kron(rng.random((4, 4)) < 0.5, np.ones((4, 4), bool))
    return {
        "text_inputs": f"[{name.title()}] [R] mend",
        f"{name}_inputs": raw.astype(np.float32),
        f"{name}_input_masks": seen,
        f"{name}_targets": raw.astype(np.float32),
        f"{name}_target_hidden_masks": ~seen,
    }


def draw_params(config: UnifiedIOConfig) -> Any:
    """Parameters in float64 that nothing in the model leaves without effect."""
    rng = np.random.default_rng(0)

    def draw(name: str, leaf: Any) -> np.ndarray:
        around = 1.0 if name.endswith("scale") else 0.0
        return around + rng.standard_normal(leaf.shape) / math.sqrt(max(leaf.shape[:1] or (1,)))

    return pytree.map_named(draw, nn.unbox(parameter_shapes(config)))


def batches(config: UnifiedIOConfig) -> dict[str, Any]:
    """The same examples one a row, many a row, and the rows of the second the other way round."""
    features = featurize(config, examples())
    lengths = [measure(x, config.inputs, config.targets) for x in features]
    items = {m.name: 12 if m.slot_size > 1 else 400 for m in config.inputs}
    written = {m.name: 8 if m.slot_size > 1 else 128 for m in config.targets}
    budgets = Budgets(
        len(features), 96, 48, items, written
    )  # one shape for all, so that a step compiles once
    packed = plan(lengths, budgets)
    plans = {
        "alone": one_per_row(lengths, budgets),
        "packed": packed,
        "permuted": dataclasses.replace(packed, rows=budgets.rows - 1 - packed.rows),
    }
    mates = np.bincount(packed.rows)
    assert packed.placed.all() and 2 < len(mates) < len(features) / 2
    made = {name: assemble(features, x, config.inputs, config.targets) for name, x in plans.items()}
    return jax.tree.map(lambda x: x.astype(np.float64) if x.dtype == np.float32 else x, made)


class Result(NamedTuple):
    """What a batch makes of every target: the sum of its loss, its gradients, and the loss of every token, sorted."""

    loss: dict[str, float]
    gradients: dict[str, dict[str, np.ndarray]]
    tokens: dict[str, np.ndarray]


def losses(config: UnifiedIOConfig, params: Any, batch: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The summed loss of every target, z-loss included, and that of every token."""
    each = {
        name: sum(token_loss(out.logits, out.tokens)) * out.weights
        for name, out in Network(config).apply({"params": params}, batch).items()
    }
    return {name: loss.sum() for name, loss in each.items()}, each


@functools.cache
def results(sparse_patterns: bool, dynamic_masking: bool) -> dict[str, Result]:
    """The result of every layout with some of the switches on."""
    config = config_of(sparse_patterns=sparse_patterns, dynamic_masking=dynamic_masking)
    run = runner(config)
    return {name: run(batch) for name, batch in batches(config).items()}


def runner(config: UnifiedIOConfig) -> Callable[[Any], Result]:
    """Returns batch -> Result."""
    params = draw_params(config)

    @jax.jit
    def run(params, batch, of):
        total, pull, each = jax.vjp(lambda p: losses(config, p, batch), params, has_aux=True)
        return total, jax.lax.map(lambda one: pull(one)[0], of), each

    names = [m.name for m in config.targets]
    of = {name: np.eye(len(names))[i] for i, name in enumerate(names)}

    def result(batch: Any) -> Result:
        total, gradients, each = run(params, batch, of)
        leaves = {name: np.asarray(leaf) for name, leaf in pytree.named_leaves(gradients).items()}
        real = {name: np.asarray(batch["heads"][name]["weights"]) > 0 for name in names}
        return Result(
            {name: float(value) for name, value in total.items()},
            {name: {key: leaf[i] for key, leaf in leaves.items()} for i, name in enumerate(names)},
            {name: np.sort(np.asarray(each[name])[real[name]]) for name in names},
        )

    return result


@pytest.mark.parametrize("layout", ["packed", "permuted"])
@pytest.mark.parametrize("switches", SWITCHES, ids=lambda s: "+".join(k for k in s if s[k]) or "plain")
def test_a_layout_changes_no_loss_and_no_gradient(switches, layout):
    wanted, got = (results(**switches)[name] for name in ("alone", layout))
    assert wanted.loss.keys() == {"text", "image", "audio", "action"}
    for target, loss in wanted.loss.items():
        assert got.loss[target] == pytest.approx(loss, rel=WORTH), target
        np.testing.assert_allclose(got.tokens[target], wanted.tokens[target], rtol=WORTH)
        steepest = max(np.abs(gradient).max() for gradient in wanted.gradients[target].values())
        for name, gradient in wanted.gradients[target].items():
            # A key's bias has no effect, so that its gradient is rounding alone.
            room = WORTH * np.abs(gradient).max() + ROUNDING * steepest
            assert np.abs(got.gradients[target][name] - gradient).max() <= room, (target, name)


def test_everything_has_its_part_in_what_is_compared():
    """Were an input or a switch without effect, the law above would say nothing about it."""
    alone = [results(**switches)["alone"] for switches in SWITCHES]
    for part in (f"input_embedders_{m.name}" for m in config_of().inputs):
        steepest = max(
            np.abs(leaf).max()
            for gradients in alone[0].gradients.values()
            for name, leaf in gradients.items()
            if name.startswith(part)
        )
        assert steepest > 1e-3, part
    for target, ways in (("image", 4), ("audio", 4), ("text", 1), ("action", 1)):
        assert len({round(result.loss[target], 6) for result in alone}) == ways, target


def test_nothing_beside_the_frozen_tokenizers_is_less_than_float64():
    config = config_of(sparse_patterns=True, dynamic_masking=True)
    batch = batches(config)["packed"]
    program = jax.make_jaxpr(lambda p: losses(config, p, batch)[0])(draw_params(config))
    assert [line for line in narrow(program.jaxpr) if "tokenizer" not in line] == []


def narrow(jaxpr: core.Jaxpr, inside: str = "") -> Iterator[str]:
    """Names the equations that compute floats narrower than float64, and where they are. A choice computes nothing."""
    for equation in jaxpr.eqns:
        where = f"{inside}/{equation.source_info.name_stack}"
        leaves = jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda x: isinstance(x, core.Jaxpr | core.ClosedJaxpr)
        )
        programs = [x for x in leaves if isinstance(x, core.Jaxpr | core.ClosedJaxpr)]
        for program in programs:
            yield from narrow(getattr(program, "jaxpr", program), where)
        floats = {v.aval.dtype for v in equation.outvars if jnp.issubdtype(v.aval.dtype, jnp.floating)}
        if not programs and floats - {jnp.dtype("float64")} and equation.primitive.name not in CHOICES:
            yield f"{where}: {equation.primitive.name}"
