"""Schedules and updates against their formulas; frozen means frozen; NaN moves nothing."""

import dataclasses
import math
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from unified_io import pytree
from unified_io.errors import ConfigError
from unified_io.train.guard import report
from unified_io.train.optimizer import (
    OptimizerConfig,
    ParameterGroup,
    ScheduleConfig,
    build,
    is_trained,
    schedule,
)

CONSTANT = ScheduleConfig("constant", base=0.01)


@pytest.mark.parametrize("step", [0, 1, 7, 50, 99, 100, 101, 350, 1000, 5000])
def test_schedules_follow_their_formulas(step):
    def rate(factors, **fields):
        return float(schedule(ScheduleConfig(factors, **fields))(jnp.asarray(step)))

    warm = min(1, step / 100)
    assert rate("constant", base=0.3) == pytest.approx(0.3)
    assert rate("constant*linear_warmup", base=2.0, warmup_steps=100) == pytest.approx(max(2 * warm, 1e-8))
    assert rate("constant * linear_warmup * rsqrt_decay", base=0.5, warmup_steps=100) == pytest.approx(
        max(0.5 * warm / math.sqrt(max(step, 100)), 1e-8), rel=1e-5
    )
    progress = min(max((step - 100) / 900, 0), 1)
    cosine = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress))
    assert rate(
        "constant * linear_warmup * cosine_decay", warmup_steps=100, decay_steps=1000, final_fraction=0.1
    ) == pytest.approx(max(warm * cosine, 1e-8), rel=1e-5)


def test_schedules_that_can_not_be_are_named():
    with pytest.raises(ConfigError, match="did you mean 'rsqrt_decay'"):
        schedule(ScheduleConfig("constant * rsqrt_dcay"))
    with pytest.raises(ConfigError, match="set decay_steps"):
        schedule(ScheduleConfig("constant * cosine_decay", warmup_steps=100))
    with pytest.raises(ConfigError, match="did you mean 'adamw'"):
        build(OptimizerConfig(name="adamW"), {"w": jnp.ones(1)})


def _adafactor_by_hand(param, grads, lr, factored):
    """Two steps of the released optimizer, written from its description in NumPy float64."""
    r = c = v = momentum = 0.0
    for t, g in enumerate(grads):
        beta = 1 - (t + 1) ** -0.8
        s = g**2 + 1e-30
        if factored:
            d1, d0 = np.argsort(g.shape)[-2:]
            r = beta * r + (1 - beta) * s.mean(d0, keepdims=True)
            c = beta * c + (1 - beta) * s.mean(d1, keepdims=True)
            u = g * (r / r.mean(d1, keepdims=True)) ** -0.5 * c**-0.5
        else:
            v = beta * v + (1 - beta) * s
            u = g * v**-0.5
        u = u / max(1.0, np.sqrt((u**2).mean()))
        delta = lr * max(np.sqrt((param**2).mean()), 1e-3) * u
        momentum = 0.9 * momentum + 0.1 * delta
        param = param - momentum
    return param


def test_adafactor_is_the_released_one():
    rng = np.random.default_rng(0)
    shapes = {
        "wide": (130, 140),
        "square": (128, 128),
        "stack": (3, 150, 129),
        "small": (8, 200),
        "vector": (5,),
    }
    params = {name: 0.3 * rng.normal(size=shape) for name, shape in shapes.items()}
    params["tiny"] = 1e-5 * rng.normal(size=(4, 4))
    grads = [{name: rng.normal(size=p.shape) for name, p in params.items()} for _ in range(3)]
    scale = [min(1.0, 1.0 / math.sqrt(sum((g**2).sum() for g in step.values()))) for step in grads]
    optimizer = build(OptimizerConfig("adafactor", CONSTANT, clip_norm=1.0), params)
    got = jax.tree.map(lambda p: jnp.asarray(p, jnp.float32), params)
    state = optimizer.init(got)
    update, stored = jax.jit(optimizer.update), pytree.named_leaves(state.inner)
    assert [stored[f"0/{kind}/stack"].size for kind in ("v_row", "v_col", "v")] == [3 * 129, 3 * 150, 1]
    assert [stored[f"0/{kind}/small"].size for kind in ("v_row", "v_col", "v")] == [1, 1, 1600]
    for step in grads:
        updates, state = update(jax.tree.map(lambda g: jnp.asarray(g, jnp.float32), step), state, got)
        got = optax.apply_updates(got, updates)
    for name, param in params.items():
        clipped = [step[name] * s for step, s in zip(grads, scale, strict=True)]
        want = _adafactor_by_hand(param, clipped, 0.01, factored=name in ("wide", "square", "stack"))
        np.testing.assert_allclose(got[name], want, rtol=0, atol=2e-6 * np.abs(want).max(), err_msg=name)


def test_adamw_is_the_textbook_one_and_decays_only_kernels():
    rng = np.random.default_rng(1)
    params = {
        "layer": {
            "kernel": rng.normal(size=(3, 4)),
            "bias": rng.normal(size=4),
            "scale": rng.normal(size=(2, 4)),
        }
    }
    params["shared_text_token_embedder"] = {"embedding": rng.normal(size=(5, 3))}
    params["input_embedders_image"] = {"kernel": rng.normal(size=(2, 3))}  # no table, for all its name
    config = OptimizerConfig("adamw", CONSTANT, b1=0.8, b2=0.9, weight_decay=0.1, clip_norm=None)
    optimizer = build(config, params)
    got = jax.tree.map(jnp.asarray, params)
    state = optimizer.init(got)
    want, m, v = pytree.named_leaves(params), {}, {}
    for t in (1, 2, 3):
        grads = jax.tree.map(lambda p: rng.normal(size=p.shape), params)
        updates, state = jax.jit(optimizer.update)(jax.tree.map(jnp.asarray, grads), state, got)
        got = optax.apply_updates(got, updates)
        for name, g in pytree.named_leaves(grads).items():
            m[name] = 0.8 * m.get(name, 0) + 0.2 * g
            v[name] = 0.9 * v.get(name, 0) + 0.1 * g**2
            step = m[name] / (1 - 0.8**t) / (np.sqrt(v[name] / (1 - 0.9**t)) + 1e-8)
            decay = 0.1 * want[name] if name.endswith("/kernel") else 0.0
            want[name] = want[name] - 0.01 * (step + decay)
    for name, value in pytree.named_leaves(got).items():
        np.testing.assert_allclose(value, want[name], rtol=2e-5, atol=2e-6, err_msg=name)


def _params():
    return {
        "image_vit": {"kernel": jnp.ones((4, 4)), "bias": jnp.ones(4)},
        "decoder": {"kernel": jnp.full((4, 4), -0.0)},
    }


@pytest.mark.parametrize("name", ["adamw", "adafactor"])
def test_frozen_parameters_never_move_and_have_no_state(name):
    params = _params()
    optimizer = build(OptimizerConfig(name, CONSTANT, weight_decay=0.1, frozen=("^image_vit/",)), params)
    state = optimizer.init(params)
    assert not any("image_vit" in leaf for leaf in pytree.named_leaves(state))
    grads = jax.tree.map(jnp.ones_like, params)
    grads["image_vit"]["kernel"] *= 1e6
    updates, state = jax.jit(optimizer.update)(grads, state, params)
    moved = optax.apply_updates(params, updates)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, moved["image_vit"], params["image_vit"]))
    assert float(jnp.abs(moved["decoder"]["kernel"]).min()) > 0
    assert float(report(state)["grad_norm"]) == pytest.approx(4.0), "the norm is over what moves"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("^image_vt/", "matches no parameter; did you mean 'image_vit'"),
        ("decoder/kernl$", "matches no parameter; did you mean 'decoder/kernel'"),
        ("audio", "matches no parameter; the parameters start with decoder, image_vit"),
        ("image(", "is no regular expression: missing"),
    ],
)
def test_a_pattern_that_matches_nothing_is_an_error(pattern, said):
    with pytest.raises(ConfigError, match=f"frozen pattern .*{said}"):
        build(OptimizerConfig(frozen=(pattern,)), _params())
    with pytest.raises(ConfigError, match=f"group pattern .*{said}"):
        build(OptimizerConfig(groups=(ParameterGroup(pattern),)), _params())


def test_a_group_is_taken_as_it_is_or_refused():
    with pytest.raises(ConfigError, match="learning_rate_scale=-1.0 and weight_decay=None; give finite"):
        ParameterGroup("decoder", learning_rate_scale=-1.0)
    with pytest.raises(ConfigError, match="weight_decay=nan"):
        ParameterGroup("decoder", weight_decay=float("nan"))


def _grouped():
    rng = np.random.default_rng(2)
    shapes = {"encoder/kernel": (4, 6), "encoder/scale": (6,), "decoder/kernel": (6, 4), "head/kernel": (4, 3),
              "tokenizer/kernel": (3, 3)}  # fmt: skip
    params = pytree.nested({k: jnp.asarray(rng.normal(size=v), jnp.float32) for k, v in shapes.items()})
    grads = [
        jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), jnp.float32), params) for _ in range(3)
    ]
    return params, grads


def _trained(config, params, grads):
    optimizer = build(config, params)
    state = optimizer.init(params)
    for step in grads:
        updates, state = jax.jit(optimizer.update)(step, state, params)
        params = optax.apply_updates(params, updates)
    return pytree.named_leaves(params)


@pytest.mark.parametrize("name", ["adamw", "adafactor", "muon"])
def test_groups_train_as_if_each_had_an_optimizer_of_its_own(name):
    params, grads = _grouped()
    config = OptimizerConfig(name, CONSTANT, weight_decay=0.1, clip_norm=None, frozen=("^tokenizer/",))
    slow, fast = ParameterGroup("^encoder/", 0.1), ParameterGroup("kernel$", 3.0, weight_decay=0.5)
    found = _trained(dataclasses.replace(config, groups=(slow, fast)), params, grads)
    for pattern, scale, decay in (
        ("^encoder/", 0.1, 0.1),
        ("^(decoder|head)/", 3.0, 0.5),
        ("^tokenizer/", 1.0, 0.1),
    ):
        rate = dataclasses.replace(CONSTANT, base=scale * CONSTANT.base)
        alone = _trained(dataclasses.replace(config, learning_rate=rate, weight_decay=decay), params, grads)
        for key in [key for key in alone if re.search(pattern, key)]:
            np.testing.assert_allclose(found[key], alone[key], rtol=1e-5, atol=1e-7, err_msg=key)
    plain = _trained(config, params, grads)
    assert all(not np.allclose(found[k], plain[k]) for k in plain if is_trained(config, k))


def test_groups_share_one_clipped_norm_and_one_guard():
    params, grads = _grouped()
    config = OptimizerConfig("adamw", CONSTANT, clip_norm=0.5, groups=(ParameterGroup("^encoder/", 2.0),))
    optimizer = build(config, params)
    _, state = optimizer.update(grads[0], optimizer.init(params), params)
    assert float(report(state)["grad_norm"]) == pytest.approx(float(optax.tree.norm(grads[0])), rel=1e-6)
    assert float(report(state)["learning_rate"]) == pytest.approx(CONSTANT.base)


def test_what_is_trained_can_be_asked():
    config = OptimizerConfig(frozen=("^image_vit/", "bias$"))
    assert [is_trained(config, name) for name in ("image_vit/kernel", "decoder/bias", "decoder/kernel")] == [
        False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["adamw", "adafactor"])
@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_a_gradient_that_is_not_finite_changes_nothing_and_is_counted(name, bad):
    params = _params()
    optimizer = build(OptimizerConfig(name, ScheduleConfig(warmup_steps=3), weight_decay=0.1), params)
    update = jax.jit(optimizer.update)
    grads = jax.tree.map(lambda p: jnp.full_like(p, 0.1), params)
    _, state = update(grads, optimizer.init(params), params)
    poisoned = jax.tree.map(jnp.copy, grads)
    poisoned["decoder"]["kernel"] = poisoned["decoder"]["kernel"].at[1, 2].set(bad)
    updates, after = update(poisoned, state, params)
    moved = optax.apply_updates(params, updates)

    def bits(tree):
        return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]

    assert bits(moved) == bits(params), "minus zero included"
    assert bits(after.inner) == bits(state.inner)
    assert float(report(after)["skipped_steps"]) == 1 and float(report(state)["skipped_steps"]) == 0
    resumed, _ = update(grads, after, params)
    straight, _ = update(grads, state, params)
    assert bits(resumed) == bits(straight)


def test_the_reported_rate_is_the_one_used():
    params = {"w": jnp.ones(3)}
    config = OptimizerConfig("adamw", ScheduleConfig("constant * linear_warmup", base=1.0, warmup_steps=4))
    optimizer = build(config, params)
    state = optimizer.init(params)
    for step in range(6):
        updates, state = optimizer.update({"w": jnp.ones(3)}, state, params)
        assert float(report(state)["learning_rate"]) == pytest.approx(max(min(1, step / 4), 1e-8))
        np.testing.assert_allclose(updates["w"], -report(state)["learning_rate"], rtol=1e-4)


def test_clipping_bounds_the_norm_but_reports_it_unclipped():
    params = {"w": jnp.zeros(4)}
    config = dataclasses.replace(OptimizerConfig("adamw", CONSTANT), clip_norm=0.5, b1=0.0)
    optimizer = build(config, params)
    _, state = optimizer.update({"w": jnp.full(4, 3.0)}, optimizer.init(params), params)
    assert float(report(state)["grad_norm"]) == pytest.approx(6.0)
    first_moment = pytree.named_leaves(state.inner)["0/mu/w"]
    assert float(jnp.linalg.norm(first_moment)) == pytest.approx(0.5)


def test_muon_orthogonalises_matrices_and_leaves_the_rest_to_adam():
    rng = np.random.default_rng(0)
    params = {
        "dense": {"kernel": rng.normal(size=(6, 4)).astype(np.float32), "bias": np.zeros(4, np.float32)},
        "table": {"embedding": rng.normal(size=(5, 4)).astype(np.float32)},
        "tokenizer": {"kernel": rng.normal(size=(4, 4)).astype(np.float32)},
    }
    rate = ScheduleConfig(factors="constant", base=0.1)
    config = OptimizerConfig(
        name="muon",
        learning_rate=rate,
        matrix_rate=2.0,
        no_decay=("embedding$", "bias$"),
        frozen=("^tokenizer/",),
    )
    muon = build(config, params)
    grads = jax.tree.map(lambda p: rng.normal(size=p.shape).astype(np.float32), params)
    updates, _ = muon.update(grads, muon.init(params), params)

    step = np.asarray(updates["dense"]["kernel"]) / -0.2
    singular = np.linalg.svd(step, compute_uv=False)
    assert singular.max() / singular.min() < 2.0 < np.linalg.cond(grads["dense"]["kernel"])
    for name, leaf in (("dense", "bias"), ("table", "embedding")):
        # Adam's first step is the same size for every number; Nesterov's makes it somewhat more than the rate.
        sizes = -updates[name][leaf] / np.sign(grads[name][leaf])
        np.testing.assert_allclose(sizes, sizes.mean(), rtol=1e-3)
        assert 0.1 <= sizes.mean() < 0.2
    assert not np.any(updates["tokenizer"]["kernel"])


def test_muon_knows_its_matrices_in_their_boxes():
    boxed = {"kernel": nn.LogicallyPartitioned(np.ones((3, 4), np.float32), ("embed", "mlp"))}
    boxed["embedding"] = nn.LogicallyPartitioned(np.ones((3, 4), np.float32), ("vocab", "embed"))
    config = OptimizerConfig(name="muon", no_decay=("embedding$",))
    plain = nn.unbox(boxed)
    muon = build(config, plain)
    shapes = [[leaf.shape for leaf in jax.tree.leaves(muon.init(tree))] for tree in (boxed, plain)]
    assert shapes[0] == shapes[1]
