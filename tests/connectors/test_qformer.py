"""The Q-Former: published sizes, and what reads what. Numbers are compared in tests/parity."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import pytree
from unified_io.connectors.base import Instruction
from unified_io.connectors.qformer import QFormer, QFormerConfig
from unified_io.convert import qformer
from unified_io.errors import ConfigError

CONFIG = QFormerConfig(
    out_width=6,
    num_queries=3,
    width=12,
    num_heads=3,
    num_layers=3,
    mlp_dim=16,
    vocab_size=11,
    max_positions=7,
)


@pytest.mark.parametrize(("width", "millions"), [(1408, 188.8), (768, 182.9), (512, 180.6)])
def test_published_sizes(width, millions):
    shapes = qformer.shapes(QFormerConfig(out_width=4096), width)
    assert round(sum(np.prod(leaf.shape, dtype=int) for leaf in shapes.values()) / 1e6, 1) == millions


def test_every_second_layer_looks_at_the_tokens():
    layers = {name.split("/")[0] for name in qformer.shapes(CONFIG, 8) if "crossattention/" in name}
    assert layers == {"layers_0", "layers_2"}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    tokens = jnp.float32(rng.normal(size=(2, 5, 8)))
    instruction = Instruction(
        jnp.int32(rng.integers(0, 11, (2, 4))), jnp.ones((2, 4), bool).at[1, 2:].set(False)
    )
    return tokens, jnp.ones((2, 5), bool), instruction


@pytest.fixture(scope="module")
def run():
    rng = np.random.default_rng(1)
    named = {
        name: jnp.float32(rng.normal(0.0, 0.5, leaf.shape))
        for name, leaf in qformer.shapes(CONFIG, 8).items()
    }
    variables = {"params": pytree.nested(named)}
    return jax.jit(
        lambda tokens, mask, instruction: QFormer(CONFIG).apply(
            variables, tokens, mask, instruction=instruction
        )
    )


def test_padding_of_the_instruction_changes_nothing(batch, run):
    tokens, mask, (ids, real) = batch
    wanted = run(*batch)
    np.testing.assert_array_equal(run(tokens, mask, Instruction(ids.at[1, 2:].set(5), real)), wanted)
    shorter = run(tokens, mask, Instruction(ids[:, :2], real[:, :2]))
    np.testing.assert_allclose(shorter[1], wanted[1], atol=1e-5)
    assert np.abs(shorter[0] - wanted[0]).max() > 1e-2


def test_the_order_of_words_counts_and_ids_outside_are_seen(batch, run):
    tokens, mask, (ids, real) = batch
    assert np.abs(run(tokens, mask, Instruction(ids[:, ::-1], real)) - run(*batch))[0].max() > 1e-3
    assert np.isnan(run(tokens, mask, Instruction(ids.at[0, 0].set(11), real))[0]).all()


def test_without_a_text_side(batch):
    config = dataclasses.replace(CONFIG, reads_instruction=False)
    tokens, mask, _ = batch
    soft, variables = jax.eval_shape(
        lambda: QFormer(config).init_with_output(jax.random.key(0), tokens, mask)
    )
    names = set(pytree.named_leaves(nn.meta.unbox(variables["params"])))
    assert names == {name for name in qformer.shapes(CONFIG, 8) if "text_mlp" not in name} - {
        "words",
        "positions",
    }
    assert soft.shape == (2, 3, 6)


def test_what_can_not_be_is_refused(batch):
    tokens, mask, (ids, real) = batch
    with pytest.raises(ConfigError, match="was given none; give instruction="):
        QFormer(CONFIG).init(jax.random.key(0), tokens, mask)
    long = Instruction(jnp.tile(ids, (1, 2)), jnp.tile(real, (1, 2)))
    with pytest.raises(ConfigError, match="8 tokens has only 7 positions"):
        QFormer(CONFIG).init(jax.random.key(0), tokens, mask, instruction=long)
    with pytest.raises(ConfigError, match="width 12 must be a multiple of num_heads 5"):
        dataclasses.replace(CONFIG, num_heads=5)
