"""Scanned layers cost the compiler nothing: a program of 24 + 24 layers is as long as one of 2 + 2."""

import flax.linen as nn
import jax
import pytest
from tiny import featurize, tiny_batch, tiny_config, tiny_examples

from unified_io.loss import total_loss
from unified_io.model import Network, parameter_shapes


def operations(layers: int, **backbone) -> int:
    """How many operations the lowered program of loss and gradients has, for a number of layers on either side."""
    config = tiny_config(num_encoder_layers=layers, num_decoder_layers=layers, **backbone)
    batch = tiny_batch(config, featurize(config, tiny_examples()))

    def loss(params):
        return total_loss(Network(config).apply({"params": params}, batch))[0]

    lowered = jax.jit(jax.value_and_grad(loss)).lower(nn.unbox(parameter_shapes(config)))
    return lowered.as_text().count("stablehlo.")


@pytest.mark.parametrize(
    "backbone", [{}, {"remat": "full", "sparse_patterns": True, "dynamic_masking": True}], ids=str
)
def test_depth_adds_no_operation_where_layers_are_scanned(backbone):
    shallow, deep = (operations(layers, scan_layers=True, **backbone) for layers in (2, 24))
    assert deep <= 1.05 * shallow


def test_the_count_sees_layers_that_are_not_scanned():
    shallow, deep = (operations(layers, scan_layers=False) for layers in (2, 4))
    assert deep > 1.2 * shallow
