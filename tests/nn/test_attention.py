"""Attention against a float64 reference, and its laws."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.nn import attention, masks, rope
from unified_io.nn.attention import Attention, attend

B, Q, L, H, K = 2, 5, 7, 3, 4
RUNS = {"xla": {"impl": "xla"}, "chunked": {"impl": "chunked", "chunk": 3}, "one chunk": {"impl": "chunked"}}


def reference(q, k, v, mask=None, bias=None, scale=None):
    """Attention in float64."""
    q, k, v = (np.asarray(x, np.float64) for x in (q, k, v))
    logits = np.einsum("bqhd,bkhd->bhqk", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    logits = logits + (0.0 if bias is None else np.asarray(bias, np.float64))
    logits = logits if mask is None else np.where(mask, logits, -1e10)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return np.einsum("bhqk,bkhd->bqhd", weights / weights.sum(-1, keepdims=True), v)


@pytest.fixture
def qkv(rng):
    return [jnp.float32(rng.normal(size=(B, n, H, K))) for n in (Q, L, L)]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(
    ("mask_shape", "bias_shape"),
    [
        (None, None),
        ((B, 1, Q, L), None),
        ((1, 1, 1, L), (1, H, Q, L)),
        ((B, H, Q, 1), None),
        (None, (B, 1, 1, L)),
    ],
)
def test_attend_is_the_reference(rng, qkv, run, mask_shape, bias_shape):
    mask = None if mask_shape is None else rng.random(mask_shape) < 0.5  # some queries have no key at all
    bias = None if bias_shape is None else rng.normal(size=bias_shape)
    run = jax.jit(functools.partial(attend, **RUNS[run]))
    arrays = {"mask": mask, "bias": None if bias is None else jnp.float32(bias)}
    out = run(*qkv, **arrays)
    np.testing.assert_allclose(out, reference(*qkv, mask, bias), atol=2e-6)


def test_scale_replaces_the_default(qkv):
    np.testing.assert_allclose(attend(*qkv, scale=2.0), reference(*qkv, scale=2.0), atol=2e-6)


@pytest.mark.parametrize("run", RUNS)
def test_bfloat16_keeps_logits_in_float32(rng, run):
    """Logits near 100 that differ by 0.1 are the same number in bfloat16."""
    q, k, v = (jnp.asarray(rng.normal(size=(B, n, H, 64)), jnp.bfloat16) for n in (Q, L, L))
    q = q * jnp.bfloat16(30.0)
    out = jax.jit(functools.partial(attend, **RUNS[run]))(q, k, v)
    assert out.dtype == jnp.bfloat16
    np.testing.assert_allclose(out.astype(jnp.float32), reference(q, k, v), atol=0.03)


@pytest.mark.parametrize("run", RUNS)
def test_float64_stays_float64(rng, run):
    with jax.enable_x64(True):
        q, k, v = (jnp.asarray(rng.normal(size=(B, n, H, K))) for n in (Q, L, L))
        mask = rng.random((B, 1, Q, L)) < 0.7
        out = jax.jit(functools.partial(attend, **RUNS[run]))(q, k, v, mask=mask)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, reference(q, k, v, mask), atol=1e-14)


def test_chunked_gradients_are_those_of_the_reference(rng, qkv):
    mask = jnp.asarray(rng.random((B, 1, Q, L)) < 0.7)

    def gradient(run):
        return jax.jit(jax.grad(lambda qkv: jnp.sum(jnp.sin(attend(*qkv, mask=mask, **RUNS[run])))))(qkv)

    plain, chunked = gradient("xla"), gradient("chunked")
    for a, b in zip(plain, chunked, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def test_unknown_implementation(qkv):
    with pytest.raises(ConfigError, match="did you mean 'chunked'"):
        attend(*qkv, impl="chunk")


def module(**fields):
    return Attention(width=6, num_heads=H, head_dim=K, **fields)


def initialise(attention, *arguments):
    """Parameters with norm scales and biases moved away from where they do nothing."""
    params = nn.meta.unbox(jax.jit(attention.init)(jax.random.key(0), *arguments))
    return jax.tree.map(lambda leaf: leaf + 0.1 * np.sin(np.arange(leaf.size).reshape(leaf.shape)), params)


def test_the_released_tree():
    x = jnp.ones((1, 2, 8))
    boxed = jax.eval_shape(module(qk_norm=True).init, jax.random.key(0), x)
    assert jax.tree.map(jnp.shape, nn.meta.unbox(boxed)["params"]) == {
        "query": {"kernel": (8, 12)},
        "key": {"kernel": (8, 12)},
        "value": {"kernel": (8, 12)},
        "out": {"kernel": (12, 6)},
        "query_norm": {"scale": (4,)},
        "key_norm": {"scale": (4,)},
    }
    cosine = module(scaled_cosine=True, use_bias=True, qk_norm=True)
    params = jax.eval_shape(cosine.init, jax.random.key(0), x)["params"]
    assert params["logit_scale"].value.shape == (H,)
    assert params["out"]["bias"].value.shape == (6,)
    assert params["query"]["kernel"].names == ("embed", "joined_kv")
    assert params["out"]["kernel"].names == ("joined_kv", "embed")
    assert params["logit_scale"].names == ("heads",)
    assert params["key_norm"]["scale"].names == ("kv",)


def by_hand(params, x, context, angles, context_angles, *, qk_norm=False, scaled_cosine=False):
    """The module step by step in NumPy: project, split, norm, rotate, scale, dot."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params["params"])
    heads = lambda y, name: (np.asarray(y) @ p[name]["kernel"]).reshape(*y.shape[:2], H, K)  # noqa: E731
    q, k, v = heads(x, "query"), heads(context, "key"), heads(context, "value")
    if qk_norm:
        q, k = (y / np.sqrt((y**2).mean(-1, keepdims=True) + 1e-6) for y in (q, k))
        q, k = q * p["query_norm"]["scale"], k * p["key_norm"]["scale"]
    if scaled_cosine:
        q, k = (y / np.linalg.norm(y, axis=-1, keepdims=True) for y in (q, k))
        q = q * np.exp(np.minimum(p["logit_scale"], np.log(100)))[:, None]

    def turn(y, by):
        z = (y[..., ::2] + 1j * y[..., 1::2]) * np.exp(1j * np.asarray(by))[:, :, None]
        return np.stack([z.real, z.imag], axis=-1).reshape(y.shape)

    out = reference(turn(q, angles), turn(k, context_angles), v, scale=1.0 if scaled_cosine else None)
    return out.reshape(*out.shape[:2], -1) @ p["out"]["kernel"]


@pytest.mark.parametrize("fields", [{}, {"qk_norm": True}, {"scaled_cosine": True}])
def test_module_by_hand(rng, fields):
    x, context = jnp.float32(rng.normal(size=(B, Q, 8))), jnp.float32(rng.normal(size=(B, L, 8)))
    angles, context_angles = (jnp.float32(rng.normal(size=(B, n, K // 2))) for n in (Q, L))
    layer = module(**fields)
    params = initialise(layer, x, context)
    if "logit_scale" in params["params"]:
        params["params"]["logit_scale"] = jnp.array([0.3, 2.0, 9.0])  # the last is above ln 100
    out = jax.jit(layer.apply)(params, x, context, angles=angles, context_angles=context_angles)
    np.testing.assert_allclose(out, by_hand(params, x, context, angles, context_angles, **fields), atol=5e-6)


def test_self_attention_rotates_keys_as_queries(rng):
    x, angles = jnp.float32(rng.normal(size=(B, L, 8))), rope.angles_1d(jnp.arange(L), K)[None]
    layer = module()
    params = initialise(layer, x)
    run = jax.jit(layer.apply)
    a, b = run(params, x, angles=angles), run(params, x, x, angles=angles, context_angles=angles)
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert np.abs(a - run(params, x)).max() > 1e-3


@pytest.mark.parametrize("impl", attention.IMPLEMENTATIONS)
def test_masked_keys_change_nothing(rng, impl):
    x, context = jnp.float32(rng.normal(size=(B, Q, 8))), jnp.float32(rng.normal(size=(B, L, 8)))
    mask = jnp.ones((B, 1, 1, L), bool).at[..., 4:].set(False)
    layer = module(impl=impl, qk_norm=True)
    params = initialise(layer, x, context)
    run = jax.jit(layer.apply)
    out = run(params, x, context, mask=mask)
    np.testing.assert_array_equal(out, run(params, x, context.at[:, 4:].set(5.0), mask=mask))
    np.testing.assert_allclose(out, run(params, x, context[:, :4]), atol=1e-6)


def test_dropout_drops_keys_for_all_queries_and_keeps_the_mean(rng):
    layer = module(dropout_rate=0.5)
    x = jnp.broadcast_to(jnp.float32(rng.normal(size=(1, 1, 8))), (1, Q, 8))  # equal queries
    context = jnp.float32(rng.normal(size=(1, L, 8)))
    params = initialise(layer, x, context)

    @jax.jit
    @jax.vmap
    def sample(key):
        return layer.apply(params, x, context, deterministic=False, rngs={"dropout": key})

    samples = np.asarray(sample(jax.random.split(jax.random.key(1), 4000)))
    np.testing.assert_allclose(samples, np.broadcast_to(samples[:, :, :1], samples.shape), atol=1e-6)
    assert samples.std(axis=0).min() > 0.05
    np.testing.assert_allclose(samples.mean(axis=0), layer.apply(params, x, context), atol=0.05)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("masked", ["not", "for all heads", "a head"])
def test_heads_that_share_keys_are_heads_with_copies_of_them(rng, run, masked):
    q, k, v = (jnp.float32(rng.normal(size=(B, n, h, K))) for n, h in ((Q, 6), (L, 2), (L, 2)))
    mask = None
    if masked != "not":
        mask = (
            jnp.asarray(rng.random((B, 1 if masked == "for all heads" else 6, Q, L)) < 0.7)
            .at[..., 0]
            .set(True)
        )
    bias = jnp.float32(rng.normal(size=(1, 6, Q, L)))
    out = attend(q, k, v, mask=mask, bias=bias, **RUNS[run])
    expected = reference(q, np.repeat(k, 3, axis=2), np.repeat(v, 3, axis=2), mask, bias)
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_nothing_is_promoted_behind_our_back(dtype):
    layer = module(qk_norm=True, use_bias=True, dtype=dtype)

    def run():
        angles, mask = rope.angles_1d(jnp.arange(L), K)[None], masks.causal(L)[None, None]
        return layer.init_with_output(jax.random.key(0), jnp.ones((B, L, 8), dtype), mask=mask, angles=angles)

    with jax.numpy_dtype_promotion("strict"):
        out, _ = jax.eval_shape(run)
    assert out.dtype == dtype
