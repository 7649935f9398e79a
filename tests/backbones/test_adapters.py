"""LoRA and bottlenecks: what they begin as, what they compute, and that merging changes nothing but the tree."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.backbones.adapters import Adapter, AdapterConfig, LoRAConfig, merge
from unified_io.backbones.decoder_only import DecoderOnly, DecoderOnlyConfig
from unified_io.backbones.frozen import held
from unified_io.errors import ConfigError
from unified_io.nn.dense import Dense
from unified_io.nn.lora import LoRA
from unified_io.pytree import named_leaves, nested

CONFIG = DecoderOnlyConfig(
    vocab_size=29, width=16, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=4, mlp_dim=20
)
QV = LoRAConfig(rank=3, alpha=6.0, targets=("q_proj", "v_proj"))
IDS = np.arange(10).reshape(2, 5)


def logits(model, ids, deterministic=True):
    mask = jnp.tril(jnp.ones((1, 1, ids.shape[1], ids.shape[1]), bool))
    positions = jnp.arange(ids.shape[1])[None]
    return model.logits(model(model.embed(ids), mask=mask, positions=positions, deterministic=deterministic))


def drawn(config):
    model = DecoderOnly(config)
    init = jax.jit(lambda key: model.init(key, IDS, method=logits))
    return model, nn.meta.unbox(init(jax.random.key(0))["params"])


def perturbed(params):
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: leaf + 0.3 * rng.normal(size=leaf.shape).astype(np.float32), params)


def run(model, params, *, deterministic=True):
    def whole(params, key):
        rngs = {"dropout": key}
        return model.apply({"params": params}, IDS, deterministic, method=logits, rngs=rngs)

    return jax.jit(whole)(params, jax.random.key(3))


@pytest.mark.parametrize("scan", [True, False])
def test_it_begins_as_the_backbone_without_it(scan):
    plain, bare = drawn(dataclasses.replace(CONFIG, scan_layers=scan))
    model, params = drawn(dataclasses.replace(CONFIG, scan_layers=scan, lora=LoRAConfig(rank=3, alpha=6.0)))
    added = {name for name in named_leaves(params) if name not in named_leaves(bare)}
    assert {name.rsplit("/", 1)[1] for name in added} == {"lora_a", "lora_b"}
    assert len(added) == 2 * 7 * (1 if scan else 2)
    joined = nested({**named_leaves(params), **named_leaves(bare)})
    np.testing.assert_array_equal(run(model, joined), run(plain, bare))


def test_only_the_targets_have_it():
    _, params = drawn(dataclasses.replace(CONFIG, lora=QV))
    found = {name.split("/")[-2] for name in named_leaves(params) if "lora_" in name}
    assert found == {"query", "value"}


@pytest.mark.parametrize("scan", [True, False])
@pytest.mark.parametrize("lora", [QV, LoRAConfig(rank=2, alpha=5.0)])
def test_merging_changes_only_the_tree(scan, lora):
    model, params = drawn(dataclasses.replace(CONFIG, scan_layers=scan, lora=lora))
    params = perturbed(params)
    plain = DecoderOnly(dataclasses.replace(model.config, lora=None))
    merged = merge(params, lora)
    assert not any("lora_" in name for name in named_leaves(merged))
    expected = run(model, params)
    assert np.abs(expected - run(plain, params)).max() > 0.1
    np.testing.assert_allclose(run(plain, merged), expected, atol=1e-4, rtol=1e-4)


def test_nothing_is_merged_into_what_is_rounded():
    _, params = drawn(dataclasses.replace(CONFIG, lora=QV))
    with pytest.raises(ConfigError, match="full-precision"):
        merge(held(params, "layers/", "nf4"), QV)


def test_a_product_with_its_update():
    lora = LoRA(rank=2, scale=0.5, dropout_rate=0.0, names=("it",))
    x, kernel, a, b = (
        np.random.default_rng(i).normal(size=s) for i, s in enumerate([(4, 3), (3, 5), (3, 2), (2, 5)])
    )
    params = {"params": {"kernel": kernel, "lora_a": a, "lora_b": b}}
    made = Dense(5, ("a", "b"), lora=lora, name="it").apply(params, x)
    np.testing.assert_allclose(made, x @ kernel + 0.5 * x @ a @ b, rtol=1e-5)
    other = Dense(5, ("a", "b"), lora=lora, name="other").apply(params, x)
    np.testing.assert_allclose(other, x @ kernel, rtol=1e-5)


def test_dropout_touches_the_update_only():
    config = dataclasses.replace(CONFIG, lora=dataclasses.replace(QV, dropout_rate=0.5))
    model, params = drawn(config)
    still = run(model, params, deterministic=False)
    np.testing.assert_array_equal(still, run(model, params))
    moved = perturbed(params)
    assert np.abs(run(model, moved, deterministic=False) - run(model, moved)).max() > 1e-2


def test_a_bottleneck_is_what_its_formula_says():
    adapter = Adapter(AdapterConfig(blocks=(0,), width=3, scale=0.7))
    x = np.random.default_rng(0).normal(size=(2, 4, 6)).astype(np.float32)
    params = nn.meta.unbox(adapter.init(jax.random.key(0), x)["params"])
    assert float(params["scale"]) == pytest.approx(0.7) and np.std(params["up"]["kernel"]) < 0.05
    p = jax.tree.map(np.asarray, perturbed(params))
    centred = x - x.mean(-1, keepdims=True)
    normed = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)
    h = (normed * p["norm"]["scale"] + p["norm"]["bias"]) @ p["down"]["kernel"] + p["down"]["bias"]
    h = h / (1 + np.exp(-h))
    expected = x + p["scale"] * (h @ p["up"]["kernel"] + p["up"]["bias"])
    np.testing.assert_allclose(adapter.apply({"params": p}, x), expected, atol=1e-5)


def test_a_bottleneck_stands_behind_both_residuals():
    config = dataclasses.replace(
        CONFIG, scan_layers=False, num_layers=1, adapters=AdapterConfig(blocks=(0,), width=3)
    )
    model, params = drawn(config)
    params = perturbed(params)
    mask, positions = jnp.ones((1, 1, 1, 1), bool), jnp.zeros((1, 1), int)
    x = jax.random.normal(jax.random.key(5), (1, 1, 16))

    def hidden(model, params):
        return model.apply({"params": params}, x, mask=mask, positions=positions)

    plain = DecoderOnly(dataclasses.replace(config, adapters=None))
    unnormed = []

    def spy(next_method, args, kwargs, context):
        out = next_method(*args, **kwargs)
        if type(context.module).__name__ == "Block" and context.method_name == "__call__":
            unnormed.append(out[0])
        return out

    with nn.intercept_methods(spy):
        hidden(plain, params)
        hidden(model, params)
    before, after = unnormed
    adapter = Adapter(config.adapters)
    expected = adapter.apply({"params": params["layers_0"]["adapter"]}, before)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, expected, atol=1e-5)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: LoRAConfig(rank=0, alpha=1.0), "rank is 0"),
        (lambda: LoRAConfig(rank=1, alpha=1.0, targets=("q_prj",)), "did you mean 'q_proj'"),
        (lambda: AdapterConfig(blocks=(0,), width=3, activation="swish"), "unknown activation"),
    ],
)
def test_what_can_not_be_run_is_said(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
