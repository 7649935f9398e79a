"""A backbone whose frozen matrices are held in few bits: what it says, what it takes, what moves."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.backbones.adapters import LoRAConfig
from unified_io.backbones.decoder_only import DecoderOnly, DecoderOnlyConfig
from unified_io.backbones.frozen import STORAGES, held
from unified_io.errors import ConfigError
from unified_io.nn.held import is_held, variables
from unified_io.nn.transformer import unstack_layers
from unified_io.pytree import named_leaves, nested

CONFIG = DecoderOnlyConfig(
    vocab_size=29,
    width=64,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=16,
    mlp_dim=128,
    lora=LoRAConfig(rank=2, alpha=4.0),
)
IDS = np.arange(10).reshape(2, 5)
BLOCKS = r"layers"


def logits(model, ids):
    mask = jnp.tril(jnp.ones((1, 1, ids.shape[1], ids.shape[1]), bool))
    hidden = model(model.embed(ids), mask=mask, positions=jnp.arange(ids.shape[1])[None])
    return model.logits(hidden)


@pytest.fixture(scope="module")
def params():
    model = DecoderOnly(CONFIG)
    shapes = nn.meta.unbox(jax.eval_shape(lambda: model.init(jax.random.key(0), IDS, method=logits)))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: jnp.float32(rng.normal(size=leaf.shape) * 0.15), shapes["params"])


def run(params, config=CONFIG):
    model = DecoderOnly(config)
    return jax.jit(lambda params: model.apply(variables(params), IDS, method=logits))(params)


def turned_back(params, like):
    """The float32 weights that held ones stand for."""
    return jax.tree.map(
        lambda leaf, was: leaf.kernel(was.shape[-2]) if is_held(leaf) else leaf.astype(jnp.float32),
        params,
        like,
        is_leaf=is_held,
    )


@pytest.mark.parametrize("storage", STORAGES)
def test_it_says_what_the_weights_say_that_it_stands_for(params, storage):
    small = held(params, BLOCKS, storage)
    said = run(small)
    np.testing.assert_allclose(said, run(turned_back(small, params)), atol=1e-4, rtol=1e-4)
    off = np.abs(said - run(params)).max()
    assert 0 < off < {"int8": 0.2, "bfloat16": 0.2}.get(storage, 3)


def test_layers_apart_are_held_as_stacked_ones(params):
    apart = unstack_layers(params)
    stacked, one = held(params, BLOCKS, "nf4_double"), held(apart, BLOCKS, "nf4_double")
    for got, wanted in zip(
        jax.tree.leaves(unstack_layers(stacked)["layers_1"]), jax.tree.leaves(one["layers_1"]), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)
    other = run(one, dataclasses.replace(CONFIG, scan_layers=False))
    np.testing.assert_allclose(other, run(stacked), atol=1e-4)


def bits_a_weight(storage, width=64 * 64):
    """By shapes and dtypes alone, of a square matrix."""
    kernel = jax.ShapeDtypeStruct((width, width), jnp.float32)
    leaves = jax.tree.leaves(jax.eval_shape(STORAGES[storage], kernel))
    return 8 * sum(leaf.size * leaf.dtype.itemsize for leaf in leaves) / width**2


def test_memory_is_what_the_storages_promise():
    assert bits_a_weight("bfloat16") == 16
    assert bits_a_weight("int8") == pytest.approx(8, abs=0.01)
    assert bits_a_weight("nf4") == 4 + 32 / 64
    assert bits_a_weight("nf4_double") == pytest.approx(4 + 8 / 64 + 32 / (64 * 256), abs=1e-4)


def test_only_what_is_meant_is_held(params):
    small = held(params, r"layers/mlp", "nf4")
    found = {name.split("/kernel")[0] for name in named_leaves(small) if "/kernel/" in name}
    assert found == {"layers/mlp/wi_0", "layers/mlp/wi_1", "layers/mlp/wo"}
    assert small["layers"]["mlp"]["wo"]["lora_a"] is params["layers"]["mlp"]["wo"]["lora_a"]


@pytest.mark.parametrize("storage", ["int8", "nf4_double"])
def test_gradients_pass_through_to_what_is_trained(params, storage):
    """Those of embeddings and LoRA are those of the weights that the held ones stand for."""
    small = held(params, BLOCKS, storage)
    model = DecoderOnly(CONFIG)
    names = {name for name in named_leaves(params) if "lora_" in name or name == "embedding"}
    trained = {name: leaf for name, leaf in named_leaves(params).items() if name in names}

    def slope(params):
        flat, _ = jax.tree_util.tree_flatten_with_path(params, is_leaf=is_held)
        frozen = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in flat}

        def loss(trained):
            given = variables(nested({**frozen, **trained}))
            return jnp.sum(jnp.sin(model.apply(given, IDS, method=logits)))

        return jax.jit(jax.grad(loss))(trained)

    got, wanted = slope(small), slope(turned_back(small, params))
    assert all(np.abs(leaf).max() > 0 for leaf in got.values())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-3, rtol=2e-3), got, wanted)


def test_a_name_that_is_none_is_said(params):
    with pytest.raises(ConfigError, match="did you mean 'nf4'"):
        held(params, BLOCKS, "nf5")
    with pytest.raises(ConfigError, match="'layer/' in it; some of them: layers/"):
        held(params, "layer/", "nf4")
