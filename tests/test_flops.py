"""The counted operations of a step are those of the program that training traces."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from tiny import featurize, tiny_batch, tiny_config, tiny_examples

from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.packing import measure, plan
from unified_io.flops import StepFlops, count
from unified_io.loss import total_loss
from unified_io.model import Network, parameter_shapes
from unified_io.nn import masks

FROZEN = dataclasses.replace(
    tiny_config(),
    inputs=tuple(
        dataclasses.replace(m, frozen=True) if hasattr(m, "frozen") else m for m in tiny_config().inputs
    ),
)
SPARSE = tiny_config(scan_layers=True, sparse_patterns=True, dynamic_masking=True)


def budgets(config, rows: int = 3) -> Budgets:
    return Budgets(
        rows,
        40,
        24,
        {m.name: 5 if m.slot_size > 1 else 30 for m in config.inputs},
        {m.name: 2 if m.slot_size > 1 else 20 for m in config.targets},
    )


def traced(config, shape: Budgets) -> float:
    """Counts the whole step as it is traced: loss and gradients of all parameters."""
    batch = assemble([], plan([], shape), config.inputs, config.targets)
    network = Network(config)
    step = jax.value_and_grad(lambda params: total_loss(network.apply({"params": params}, batch))[0])
    return count(step, nn.unbox(parameter_shapes(config)))


@pytest.mark.parametrize(
    "config", [tiny_config(), FROZEN, SPARSE], ids=["unrolled", "frozen", "scanned and sparse"]
)
def test_the_parts_add_up_to_the_traced_step(config):
    shape = budgets(config)
    parts = StepFlops(config).batch(shape)
    assert sum(parts.values()) == pytest.approx(traced(config, shape), rel=0.01)
    assert StepFlops(config).recomputed(shape) == 0.0


def test_remat_adds_at_most_what_is_said_to_be_recomputed():
    config = tiny_config(scan_layers=True, remat="full")
    shape, flops = budgets(config), StepFlops(config)
    once = sum(flops.batch(shape).values())
    assert once < traced(config, shape) <= once + flops.recomputed(shape)


def test_every_kind_of_work_is_a_part_of_its_own():
    parts = StepFlops(tiny_config()).batch(budgets(tiny_config()))
    wanted = {
        "encoder/attention",
        "encoder/mlp",
        "decoder/self_attention",
        "decoder/cross_attention",
        "decoder/mlp",
        "inputs/image/image_encoder",
        "inputs/image_history/resampler",
        "targets/image/tokenizer",
        "targets/audio/tokenizer",
        "heads/text",
        "heads/action",
    }
    assert wanted <= {part for part, operations in parts.items() if operations > 0}


def test_a_frozen_encoder_is_not_run_backward():
    trained, frozen = (StepFlops(c).batch(budgets(c)) for c in (tiny_config(), FROZEN))
    # Forward alone is a little over a third: the first matrix has no input to go back to.
    assert frozen["inputs/image/image_encoder"] < 0.4 * trained["inputs/image/image_encoder"]
    assert frozen["inputs/image/projection"] < trained["inputs/image/projection"]
    assert frozen["inputs/image_history/resampler"] == trained["inputs/image_history/resampler"]


def example(encoder: int, decoder: int, images: int = 0, text: int = 0) -> Lengths:
    config = tiny_config()
    inputs = {m.name: 0 for m in config.inputs} | {"image": images}
    return Lengths(encoder, decoder, inputs, {m.name: 0 for m in config.targets} | {"text": text})


def test_what_is_useful_adds_up_over_examples():
    flops, one, other = StepFlops(tiny_config()), example(20, 7, images=1), example(9, 12, text=12)
    together, apart = flops.useful([one, other]), (flops.useful([one]), flops.useful([other]))
    assert together == pytest.approx({k: apart[0][k] + apart[1][k] for k in together})
    assert flops.useful([])["encoder/mlp"] == 0


def test_an_example_that_fills_its_row_wastes_only_what_the_causal_mask_hides():
    config = tiny_config()
    flops, shape = StepFlops(config), budgets(config, rows=1)
    whole, useful = flops.batch(shape), flops.useful([example(40, 24)])
    for part in ("encoder/attention", "encoder/mlp", "decoder/cross_attention", "decoder/mlp"):
        assert useful[part] == whole[part]
    backbone = config.backbone
    hidden = 24 * 24 - 24 * 25 / 2
    wasted = 3 * backbone.num_decoder_layers * 4 * backbone.num_heads * backbone.head_dim * hidden
    assert whole["decoder/self_attention"] - useful["decoder/self_attention"] == wasted


@pytest.fixture(scope="module")
def real():
    config = tiny_config()
    return config, StepFlops(config), featurize(config, tiny_examples())


@pytest.mark.parametrize(("packed", "rows"), [(False, 5), (True, 2), (True, 4)])
def test_useful_in_a_batch_is_what_examples_ask_for_without_what_masks_hide(real, packed, rows):
    config, flops, features = real
    batch = tiny_batch(config, features, packed=packed, rows=rows)
    segments = batch["decoder"]["segment_ids"][0]
    looked_at = (masks.segments(segments, segments)[:, 0] & masks.causal(segments.shape[1])).sum()
    squares = sum(measure(x, config.inputs, config.targets).decoder ** 2 for x in features)
    b = config.backbone
    hidden = 3 * b.num_decoder_layers * 4 * b.num_heads * b.head_dim * (squares - int(looked_at))
    assert hidden > 0
    asked_for = sum(sum(flops.unpadded(x).values()) for x in features)
    assert sum(flops.useful_in(batch).values()) == pytest.approx(asked_for - hidden, rel=1e-12)


def test_padding_is_not_useful(real):
    config, flops, features = real
    batches = {rows: tiny_batch(config, features, packed=True, rows=rows) for rows in (2, 5)}
    small, large = (flops.useful_in(batch) for batch in batches.values())
    more = flops.useful_in(tiny_batch(config, [*features, features[0]], packed=True, rows=5))
    assert small == large and sum(large.values()) < sum(more.values())


def test_an_example_that_has_everything_wastes_nothing(real):
    config, flops, _ = real
    full = {
        side: {m.name: m.empty(m.max_items) for m in modalities}
        for side, modalities in (("inputs", config.inputs), ("targets", config.targets))
    }
    for bank in (*full["inputs"].values(), *full["targets"].values()):
        if "mask" in bank:
            bank["mask"][:] = True
    lengths = measure(full, config.inputs, config.targets)
    shape = Budgets(1, lengths.encoder, lengths.decoder, lengths.inputs, lengths.targets)
    assert flops.unpadded(full) == pytest.approx(
        {part: flops.batch(shape)[part] for part in flops.unpadded(full)}
    )


def test_lengths_tell_the_same_of_examples_with_one_target_stream_and_whole_items(real):
    config, flops, features = real
    plain = [features[1]]
    lengths = [measure(x, config.inputs, config.targets) for x in plain]
    assert len(set(tiny_batch(config, plain)["decoder"]["segment_ids"].flat) - {0}) == 1
    assert flops.useful(lengths) == pytest.approx(flops.useful_in(tiny_batch(config, plain)))


def test_two_examples_in_a_row_need_less_than_the_row_costs():
    flops, shape = StepFlops(tiny_config()), budgets(tiny_config(), rows=1)
    useful = flops.useful([example(20, 12), example(20, 12)])
    assert useful["encoder/mlp"] == flops.batch(shape)["encoder/mlp"]
    assert useful["encoder/attention"] < flops.batch(shape)["encoder/attention"]


@pytest.mark.parametrize(
    ("function", "shapes", "operations"),
    [
        (jnp.matmul, [(3, 4), (4, 5)], 2 * 3 * 4 * 5),
        (lambda a, b: jax.lax.scan(lambda c, _: (c @ b, None), a, None, length=7)[0], [(3, 4), (4, 4)], 7 * 96),
        (lambda a, b: jax.jit(jnp.matmul)(a, b) + 1.0, [(3, 4), (4, 5)], 120),
        (
            lambda x, k: jax.lax.conv_general_dilated(
                x, k, (2, 2), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
            ),
            [(2, 9, 9, 4), (3, 3, 4, 6)],
            2 * (2 * 4 * 4 * 6) * (3 * 3 * 4),
        ),
    ],
    ids=["product", "scan", "inner program", "convolution"],
)  # fmt: skip
def test_products_are_counted_as_on_paper(function, shapes, operations):
    assert count(function, *(jax.ShapeDtypeStruct(shape, "float32") for shape in shapes)) == operations
