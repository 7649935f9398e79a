"""The decoder-only backbone: laws that hold for any weights, and sizes. Parity is in `tests/parity/test_llama.py`."""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.backbones.adapters import AdapterConfig, LoRAConfig
from unified_io.backbones.decoder_only import DecoderOnly, DecoderOnlyConfig
from unified_io.errors import ConfigError
from unified_io.nn import kept
from unified_io.nn.transformer import stack_layers, unstack_layers
from unified_io.pytree import named_leaves

CONFIG = DecoderOnlyConfig(
    vocab_size=29,
    width=16,
    num_layers=3,
    num_heads=4,
    num_kv_heads=2,
    head_dim=6,
    mlp_dim=20,
)
ADAPTED = {"scan_layers": False, "adapters": AdapterConfig(blocks=(0, 2), width=5)}
LORA = LoRAConfig(rank=2, alpha=4.0)
VARIANTS = {
    "plain": {},
    "window": {"sliding_window": 3},
    "chunked": {"attention_impl": "chunked"},
    "unrolled, tied": {"scan_layers": False, "tie_embeddings": True},
    "adapters": ADAPTED | {"lora": LORA, "sliding_window": 4},
}


def run_all(model, ids):
    mask = causal(np.ones(ids.shape, bool))
    return model.logits(model(model.embed(ids), mask=mask, positions=jnp.arange(ids.shape[1])[None]))


def build(**changes):
    """Returns a model, random parameters of it (biases, norms and LoRA's second factors too), and how to run it."""
    model = DecoderOnly(dataclasses.replace(CONFIG, **changes))
    shapes = nn.meta.unbox(jax.eval_shape(lambda: model.init(jax.random.key(0), IDS, method=run_all)))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32) * 0.4, shapes)
    return model, params, jax.jit(model.apply)


IDS = np.arange(12).reshape(2, 6)


def causal(real, segments=None):
    mask = np.tril(np.ones((real.shape[1],) * 2, bool))[None, None] & np.asarray(real)[:, None, None]
    if segments is not None:
        mask = mask & (segments[:, None, :, None] == segments[:, None, None, :])
    return mask


def embeddings(rows=2, length=8):
    return np.random.default_rng(2).normal(size=(rows, length, CONFIG.width)).astype(np.float32)


def places(length):
    return np.arange(length)[None]


@pytest.mark.parametrize("variant", VARIANTS)
def test_prompt_and_steps_equal_the_whole(variant):
    model, params, run = build(**VARIANTS[variant])
    prompt, length = 5, 10
    real = np.ones((3, length), bool)  # one row whole, one padded on the left, one on the right
    real[1, :2] = real[2, 3:prompt] = False
    positions = np.maximum(real.cumsum(axis=1) - 1, 0)
    x = embeddings(3, length)
    whole = run(params, x, mask=causal(real), positions=jnp.asarray(positions))

    @jax.jit
    def start(x, mask, positions):
        return model.apply(params, x, mask=mask, positions=positions, length=2, method="start_cache")

    hidden, cache = start(x[:, :prompt], causal(real[:, :prompt]), positions[:, :prompt])
    seen = real[:, :prompt]
    np.testing.assert_allclose(hidden[seen], whole[:, :prompt][seen], atol=2e-5)
    assert [own["k"].shape for own in cache["self"]] == 3 * [(3 * 2, 6, 2)]
    assert [cross["v"].shape for cross in cache["cross"]] == 3 * [(3 * 2, 5, 6)]
    cache = {**cache, "self": [kept.lengthen(own, 5) for own in cache["self"]]}

    prompt_positions = positions[:, :prompt]

    @jax.jit
    def step(y, cache, index, positions):
        return model.apply(
            params,
            y,
            cache,
            index,
            cross_mask=jnp.asarray(seen)[:, None, None],
            positions=positions,
            cross_positions=jnp.asarray(prompt_positions),
            method="decode_step",
        )

    for index in range(length - prompt):
        at = slice(prompt + index, prompt + index + 1)
        hidden, cache = step(x[:, at], cache, jnp.int32(index), jnp.asarray(positions[:, at]))
        np.testing.assert_allclose(hidden, whole[:, at], atol=2e-5)


@pytest.mark.parametrize("variant", ["plain", "window", "adapters"])
def test_padding_changes_nothing(variant):
    model, params, run = build(**VARIANTS[variant])
    x = embeddings(1, 5)
    bare = run(params, x, mask=causal(np.ones((1, 5), bool)), positions=places(5))
    for before, after in ((0, 3), (3, 0), (2, 1)):
        wide = np.pad(x, ((0, 0), (before, after), (0, 0)), constant_values=7.0)
        real = np.pad(np.ones((1, 5), bool), ((0, 0), (before, after)))
        positions = jnp.asarray(np.maximum(real.cumsum(axis=1) - 1, 0))
        padded = run(params, wide, mask=causal(real), positions=positions)
        np.testing.assert_allclose(padded[:, before : before + 5], bare, atol=2e-5)


@pytest.mark.parametrize("variant", ["plain", "window", "chunked"])
def test_packed_segments_equal_rows_of_their_own(variant):
    model, params, run = build(**VARIANTS[variant])
    x = embeddings(1, 9)
    segments = np.array([[1, 1, 1, 1, 2, 2, 2, 2, 2]])
    positions = jnp.asarray([[0, 1, 2, 3, 0, 1, 2, 3, 4]])
    mask = causal(np.ones((1, 9), bool), segments)
    packed = run(params, x, mask=mask, positions=positions)
    for part in (slice(0, 4), slice(4, 9)):
        length = part.stop - part.start
        alone = run(params, x[:, part], mask=causal(np.ones((1, length), bool)), positions=places(length))
        np.testing.assert_allclose(packed[:, part], alone, atol=2e-5)


def test_the_window_reaches_to_the_position_it_says():
    model, params, run = build(sliding_window=3, num_layers=1)
    x = embeddings(1, 6)

    def last(x):
        mask = causal(np.ones((1, 6), bool))
        return jnp.sum(run(params, x, mask=mask, positions=places(6))[0, -1])

    moved = np.abs(np.asarray(jax.jit(jax.grad(last))(x)))[0].max(axis=-1) > 0
    np.testing.assert_array_equal(moved, [False, False, False, True, True, True])


def test_the_rows_of_a_batch_do_not_meet():
    model, params, run = build()
    x = embeddings(2, 6)
    mask = causal(np.ones((2, 6), bool))
    both = run(params, x, mask=mask, positions=places(6))
    one = run(params, x[1:], mask=mask[1:], positions=places(6))
    np.testing.assert_allclose(both[1:], one, atol=1e-5)


def test_scanned_equals_unrolled_and_remat_equals_plain():
    model, params, run = build(lora=LORA)
    apart = {"params": unstack_layers(params["params"])}

    def loss(model):
        return lambda params: jnp.sum(jnp.sin(model.apply(params, IDS, method=run_all)))

    expected, slope = jax.jit(jax.value_and_grad(loss(model)))(params)
    for changes in ({"remat": "full"}, {"scan_layers": False}):
        other = DecoderOnly(dataclasses.replace(model.config, **changes))
        value, its = jax.jit(jax.value_and_grad(loss(other)))(params if other.config.scan_layers else apart)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
        if not other.config.scan_layers:
            its = {"params": stack_layers(its["params"])}
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-4), its, slope)


def test_it_computes_in_the_dtype_it_is_told_and_reads_out_in_float32():
    model, params, run = build(dtype="bfloat16")
    x = model.apply(params, jnp.zeros((1, 4), int), method="embed")
    hidden = run(params, x, mask=causal(np.ones((1, 4), bool)), positions=places(4))
    assert x.dtype == hidden.dtype == jnp.bfloat16
    assert model.apply(params, hidden, method="logits").dtype == jnp.float32


def test_a_token_of_no_table_is_seen():
    model, params, run = build()
    assert np.isnan(model.apply(params, jnp.array([29]), method="embed")).all()


def size(config):
    model = DecoderOnly(config)
    drawn = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 2), int), method=run_all))
    return {
        name: math.prod(leaf.shape) for name, leaf in named_leaves(nn.meta.unbox(drawn["params"])).items()
    }


LLAMA_7B = DecoderOnlyConfig(
    vocab_size=32000, width=4096, num_layers=32, num_heads=32, num_kv_heads=32, head_dim=128, mlp_dim=11008
)
LLAMA_13B = dataclasses.replace(
    LLAMA_7B, width=5120, num_layers=40, num_heads=40, num_kv_heads=40, mlp_dim=13824
)
LLAMA2_70B = dataclasses.replace(
    LLAMA_7B, width=8192, num_layers=80, num_heads=64, num_kv_heads=8, mlp_dim=28672
)
MISTRAL_7B = dataclasses.replace(LLAMA_7B, num_kv_heads=8, mlp_dim=14336, sliding_window=4096)


@pytest.mark.parametrize(
    "config, number",
    [
        (LLAMA_7B, 6_738_415_616),
        (LLAMA_13B, 13_015_864_320),
        (LLAMA2_70B, 68_976_648_192),
        (MISTRAL_7B, 7_241_732_096),
    ],
)
def test_sizes_are_the_published_ones(config, number):
    assert sum(size(config).values()) == number


@pytest.mark.parametrize("config, number", [(LLAMA_13B, 250_347_520), (LLAMA2_70B, 828_375_040)])
def test_lora_of_anymal_has_the_size_that_follows_from_its_paper(config, number):
    config = dataclasses.replace(config, lora=LoRAConfig(rank=64, alpha=16.0))
    assert sum(n for name, n in size(config).items() if "/lora_" in name) == number


def test_adapters_of_lynx_have_the_size_that_follows_from_its_code():
    adapters = AdapterConfig(blocks=tuple(range(0, 32, 2)), width=2048)
    config = dataclasses.replace(LLAMA_7B, adapters=adapters, scan_layers=False)
    found = {name: n for name, n in size(config).items() if "/adapter/" in name}
    assert sum(found.values()) == 268_664_848
    assert {name.split("/")[0] for name in found} == {f"layers_{i}" for i in range(0, 32, 2)}


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"num_kv_heads": 3}, "must divide it"),
        ({"head_dim": 7}, "even"),
        ({"sliding_window": 0}, "None for no window"),
        ({"dtype": "float8"}, "unknown dtype"),
        ({"remat": "half"}, "unknown remat"),
        ({"attention_impl": "xlb"}, "did you mean 'xla'"),
        ({"adapters": ADAPTED["adapters"]}, "scan_layers=False"),
        ({**ADAPTED, "num_layers": 2}, "blocks are 0 to 1"),
    ],
)
def test_what_can_not_be_run_is_said(changes, words):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(CONFIG, **changes)
