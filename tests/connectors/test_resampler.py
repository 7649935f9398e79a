"""The perceiver resampler: released trees and sizes, and laws of a connector."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.connectors.resampler import Resampler, ResamplerConfig
from unified_io.errors import ConfigError

CONFIG = ResamplerConfig(width=8, num_heads=2, head_dim=4, mlp_dim=12, num_latents=3)
MIXED = dataclasses.replace(CONFIG, cross_attention_layers=(0,))

# config, size of the whole history embedder of an image, width of the backbone
RELEASED = {
    "large": (ResamplerConfig(), 12_416_768, 1024),
    "xl": (ResamplerConfig(width=1024, num_heads=16, mlp_dim=4096), 28_090_624, 2048),
    "xxl": (
        ResamplerConfig(width=1024, num_heads=16, mlp_dim=4096, qk_norm=False, scaled_cosine=True),
        29_140_000,
        3072,
    ),
}


def shapes(config):
    arguments = jnp.zeros((1, 2, config.width)), jnp.ones((1, 2), bool)
    params = nn.meta.unbox(jax.eval_shape(lambda: Resampler(config).init(jax.random.key(0), *arguments)))
    return {
        "/".join(key.key for key in path[1:]): leaf.shape for path, leaf in jax.tree.leaves_with_path(params)
    }


@pytest.mark.parametrize("size", RELEASED)
def test_released_sizes(size):
    config, whole, emb_dim = RELEASED[size]
    around = (
        768 * config.width + config.width * emb_dim + emb_dim
    )  # the two projections and the modality's vector
    assert sum(np.prod(shape) for shape in shapes(config).values()) == whole - around


def test_the_released_tree():
    large, xxl = shapes(RELEASED["large"][0]), shapes(RELEASED["xxl"][0])
    assert large["resampler_latents"] == (32, 768)
    assert large["context_norm/scale"] == large["perceiver_norm/scale"] == (768,)
    assert large["layers_1/pre_xattention_layer_norm/scale"] == (768,)
    assert large["layers_1/xattention/query_norm/scale"] == (64,)
    assert large["layers_0/mlp/wi/kernel"] == (768, 2048)
    assert xxl["layers_0/xattention/logit_scale"] == (16,)
    assert not any("query_norm" in name for name in xxl) and not any("logit_scale" in name for name in large)


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    return jnp.float32(rng.normal(size=(2, 5, 8))), jnp.ones((2, 5), bool).at[0, 2:].set(False)


@pytest.fixture(scope="module")
def run(inputs):
    params = jax.jit(lambda *a: Resampler(CONFIG).init(jax.random.key(0), *a))(*inputs)
    return jax.jit(lambda *a: Resampler(CONFIG).apply(params, *a))


def test_number_of_soft_tokens_is_fixed(inputs, run):
    tokens, mask = inputs
    assert run(tokens, mask).shape == run(tokens[:, :4], mask[:, :4]).shape == (2, 3, 8)


def test_masked_tokens_and_order_change_nothing(inputs, run):
    tokens, mask = inputs
    wanted = run(tokens, mask)
    np.testing.assert_array_equal(run(tokens.at[0, 2:].set(9.0), mask), wanted)
    np.testing.assert_allclose(run(tokens[:, ::-1], mask[:, ::-1]), wanted, atol=1e-5)
    assert np.abs(run(tokens.at[0, 1].set(9.0), mask) - wanted)[0].max() > 1e-3


def test_layers_that_look_at_the_latents():
    tree = shapes(MIXED)
    assert tree["layers_0/xattention/query/kernel"] == tree["layers_1/attention/query/kernel"] == (8, 8)
    assert tree["layers_1/attention/key_norm/scale"] == (4,)
    assert (
        tree["layers_1/pre_attention_layer_norm/scale"] == tree["layers_1/pre_mlp_layer_norm/scale"] == (8,)
    )
    assert not any("layers_1/xattention" in name or "layers_0/attention" in name for name in tree)


def test_the_latents_of_such_a_layer_see_each_other(inputs):
    """A latent that changes reaches the others through layer 1, and no other way."""

    def reached(config):
        resampler = Resampler(config)
        params = resampler.init(jax.random.key(0), *inputs)
        latents = params["params"]["resampler_latents"].unbox()
        changed = {"params": {**params["params"], "resampler_latents": latents.at[0].add(1.0)}}
        run = jax.jit(lambda params: resampler.apply(params, *inputs))
        return np.abs(run(params) - run(changed))[:, 1:].max()

    assert reached(CONFIG) == 0
    assert reached(MIXED) > 1e-4


def test_an_index_that_is_no_layer_is_refused():
    with pytest.raises(ConfigError, match="cross_attention_layers .* 0 to 1"):
        dataclasses.replace(CONFIG, cross_attention_layers=[0, 2])


def test_bfloat16(inputs):
    config = dataclasses.replace(MIXED, dtype="bfloat16")
    out, params = jax.eval_shape(lambda: Resampler(config).init_with_output(jax.random.key(0), *inputs))
    assert out.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
