"""The perceiver resampler: released trees and sizes, its switches, and laws of a connector."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

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


LYNX = ResamplerConfig(
    width=4096,
    num_heads=8,
    head_dim=64,
    num_layers=3,
    mlp_dim=16384,
    num_latents=32,
    qk_norm=False,
    activation="gelu",
    norm="layer",
    shared_context_norm=False,
    latent_scale=1.0,
)


def shapes(config, token_width=None):
    arguments = jnp.zeros((1, 2, token_width or config.width)), jnp.ones((1, 2), bool)
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


def test_the_size_of_lynx():
    tree = shapes(LYNX, 1408)
    assert sum(np.prod(shape) for shape in tree.values()) == 419_758_336
    assert tree["layers_2/context_norm/bias"] == (1408,)
    assert tree["layers_0/xattention/key/kernel"] == (1408, 512)
    assert "context_norm/scale" not in tree


def lynx_by_numpy(p, config, tokens, mask):
    """Lynx's resampler, one row, one latent and one head at a time."""

    def norm(x, p):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["bias"]

    rows = []
    for row, real in zip(tokens, mask, strict=True):
        z = p["resampler_latents"]
        for i in range(config.num_layers):
            layer = p[f"layers_{i}"]
            x = layer["xattention"]
            media = norm(row[real], layer["context_norm"])
            read = np.zeros((len(z), config.num_heads * config.head_dim))
            for latent, h in enumerate(norm(z, layer["pre_xattention_layer_norm"])):
                for head in range(config.num_heads):
                    own = slice(head * config.head_dim, (head + 1) * config.head_dim)
                    q, k, v = (x[n]["kernel"][:, own] for n in ("query", "key", "value"))
                    logits = (media @ k) @ (h @ q) * config.head_dim**-0.5
                    weights = np.exp(logits - logits.max())
                    read[latent, own] = weights / weights.sum() @ (media @ v)
            z = z + read @ x["out"]["kernel"]
            hidden = norm(z, layer["pre_mlp_layer_norm"]) @ layer["mlp"]["wi"]["kernel"]
            z = z + hidden * 0.5 * (1 + erf(hidden / np.sqrt(2))) @ layer["mlp"]["wo"]["kernel"]
        rows.append(norm(z, p["perceiver_norm"]))
    return np.stack(rows)


def drawn(config, *arguments):
    """Parameters of which none is 0 or 1."""
    tree = nn.meta.unbox(jax.eval_shape(lambda: Resampler(config).init(jax.random.key(0), *arguments)))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: np.float32(rng.normal(0.0, 0.5, leaf.shape)), tree)


def test_lynx(inputs):
    tokens = jnp.float32(
        np.random.default_rng(2).normal(size=(2, 5, 11))
    )  # of another width than the latents
    config = dataclasses.replace(LYNX, width=8, num_heads=2, head_dim=3, mlp_dim=32, num_latents=4)
    params = drawn(config, tokens, inputs[1])
    soft = jax.jit(lambda: Resampler(config).apply(params, tokens, inputs[1]))()
    wanted = lynx_by_numpy(params["params"], config, np.asarray(tokens), np.asarray(inputs[1]))
    np.testing.assert_allclose(soft, wanted, atol=2e-5)


@pytest.mark.parametrize(
    "change",
    [{"keys": "media+latents"}, {"norm": "layer"}, {"scaled_cosine": True}, {"qk_norm": False}],
    ids=str,
)
def test_every_switch_changes_something(inputs, change):
    one, other = CONFIG, dataclasses.replace(CONFIG, **change)
    a, b = (jax.jit(lambda c=c: Resampler(c).apply(drawn(c, *inputs), *inputs))() for c in (one, other))
    assert np.abs(a - b).max() > 1e-3


def test_a_width_of_its_own_behind_the_last_norm(inputs):
    config = dataclasses.replace(CONFIG, out_width=5)
    params = drawn(config, *inputs)
    inner = {name: leaf for name, leaf in params["params"].items() if name != "projection"}
    kernel = params["params"]["projection"]["kernel"]
    soft, narrow = (
        jax.jit(lambda c=c, p=p: Resampler(c).apply({"params": p}, *inputs))()
        for c, p in ((config, params["params"]), (CONFIG, inner))
    )
    np.testing.assert_allclose(soft, narrow @ kernel, atol=1e-5)


def test_latents_begin_as_asked(inputs):
    of = lambda config: Resampler(config).init(jax.random.key(0), *inputs)["params"]["resampler_latents"]  # noqa: E731
    wide = dataclasses.replace(CONFIG, num_latents=999, num_layers=0)
    assert abs(np.std(of(wide).unbox()) - 8**-0.5) < 0.02
    assert abs(np.std(of(dataclasses.replace(wide, latent_scale=1.0)).unbox()) - 1) < 0.04


def test_what_can_not_be_is_refused(inputs):
    config = dataclasses.replace(CONFIG, keys="media+latents", width=12)
    with pytest.raises(ConfigError, match="width 8 can not be keys beside latents of width 12; set width=8"):
        Resampler(config).init(jax.random.key(0), *inputs)
    with pytest.raises(ConfigError, match="unknown keys 'latents'; did you mean 'media.latents'"):
        dataclasses.replace(CONFIG, keys="latents")
    with pytest.raises(ConfigError, match="unknown norm 'batch'"):
        dataclasses.replace(CONFIG, norm="batch")
