"""One step: repeatable, donated, compiled once, and its metrics are what they are called."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from unified_io.nn.dense import Dense
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig, build
from unified_io.train.state import TrainState
from unified_io.train.step import in_parts, make_eval_step, make_train_step


def _loss(params, batch, rng):
    noise = jax.random.normal(rng, batch["x"].shape)
    error = (batch["x"] + 0.1 * noise) @ params["w"] - batch["y"]
    return jnp.mean(error**2), {"text/loss": jnp.mean(jnp.abs(error)), "count": jnp.asarray(3)}


def _start(optimizer):
    return TrainState.create({"w": jnp.full((4, 2), 0.5)}, optimizer)


def _batch(seed=0):
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=(8, 4)).astype(np.float32), "y": rng.normal(size=(8, 2)).astype(np.float32)}


def test_a_step_is_value_and_grad_and_update():
    optimizer = build(OptimizerConfig("adamw", ScheduleConfig("constant", base=0.1)), {"w": jnp.ones((4, 2))})
    state = _start(optimizer)
    rng = jax.random.fold_in(jax.random.key(7), 0)
    (loss, _), grads = jax.value_and_grad(_loss, has_aux=True)(state.params, _batch(), rng)
    updates, _ = optimizer.update(grads, state.opt_state, state.params)
    want = optax.apply_updates(state.params, updates)
    new, metrics = make_train_step(_loss, optimizer, seed=7)(state, _batch())
    np.testing.assert_allclose(new.params["w"], want["w"], rtol=1e-6)
    assert int(new.step) == 1
    assert float(metrics["loss"]) == pytest.approx(float(loss))
    assert float(metrics["grad_norm"]) == pytest.approx(float(optax.tree.norm(grads)))
    assert float(metrics["param_norm"]) == pytest.approx(0.5 * 8**0.5)
    assert float(metrics["learning_rate"]) == pytest.approx(0.1)
    assert float(metrics["grad_norm/w"]) == float(metrics["grad_norm"])
    assert float(metrics["skipped_steps"]) == 0 and float(metrics["count"]) == 3
    assert all(value.dtype == jnp.float32 and value.shape == () for value in metrics.values())


def test_random_numbers_depend_on_seed_and_step_alone():
    optimizer = optax.sgd(0.0)

    def losses(seed):
        state, step = _start(optimizer), make_train_step(_loss, optimizer, seed=seed)
        out = []
        for _ in range(3):
            state, metrics = step(state, _batch())
            out.append(float(metrics["loss"]))
        return out

    assert losses(0) == losses(0)
    assert len(set(losses(0) + losses(1))) == 6


def test_the_state_is_used_up_and_the_step_compiled_once():
    compiled = []

    def count(event, duration, **_):
        compiled.extend([event] if "backend_compile" in event else [])

    optimizer = build(OptimizerConfig(), {"w": jnp.ones((4, 2))})
    step = make_train_step(_loss, optimizer, seed=0)
    first = state = jax.block_until_ready(_start(optimizer))
    batches = [_batch(seed) for seed in range(4)]
    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        for batch in batches:
            state, _ = step(state, batch)
    finally:
        jax.monitoring.unregister_event_duration_listener(count)
    assert len(compiled) == 1
    # What the step does not read, such as the norms of the step before, is not worth giving away.
    kept = [leaf for leaf in jax.tree.leaves(first) if not leaf.is_deleted()]
    assert all(leaf.shape == () for leaf in kept)


def test_half_precision_computes_and_full_precision_learns():
    layers = {dtype: Dense(2, ("embed", "mlp"), dtype=dtype) for dtype in ("bfloat16", "float32")}
    params = nn.unbox(layers["float32"].init(jax.random.key(0), _batch()["x"])["params"])
    optimizer = build(OptimizerConfig("adamw", ScheduleConfig("constant", base=0.1), eps=1.0), params)
    ends = {}
    for dtype, layer in layers.items():

        def loss_fn(params, batch, rng, layer=layer):
            outputs = layer.apply({"params": params}, batch["x"])
            assert outputs.dtype == layer.dtype
            return jnp.mean((outputs.astype(jnp.float32) - batch["y"]) ** 2), {}

        step = make_train_step(loss_fn, optimizer, seed=0)
        state, _ = step(TrainState.create(jax.tree.map(jnp.copy, params), optimizer), _batch())
        floating = [x for x in jax.tree.leaves(state) if jnp.issubdtype(x.dtype, jnp.floating)]
        assert {leaf.dtype for leaf in floating} == {jnp.dtype(jnp.float32)}
        ends[dtype] = np.asarray(state.params["kernel"] - params["kernel"])
    scale = np.abs(ends["float32"]).max()
    np.testing.assert_allclose(ends["bfloat16"], ends["float32"], atol=0.05 * scale)
    assert not np.array_equal(*ends.values())


def test_an_optimizer_of_another_kind_reports_its_gradient_too():
    _, metrics = make_train_step(_loss, optax.sgd(0.1), seed=0)(_start(optax.sgd(0.1)), _batch())
    assert float(metrics["grad_norm"]) > 0


def test_evaluation_repeats_and_changes_nothing():
    step = make_eval_step(_loss)
    params = {"w": jnp.ones((4, 2))}
    assert float(step(params, _batch())["loss"]) == float(step(params, _batch())["loss"])
    assert not params["w"].is_deleted()


def test_a_metric_that_is_no_scalar_is_named():
    step = make_eval_step(lambda params, batch, rng: (jnp.zeros(()), {"text/logits": jnp.zeros(3)}))
    with pytest.raises(ValueError, match=r"'text/logits' has shape \(3,\)"):
        step({}, {})


@pytest.mark.parametrize("parts", [1, 2, 8])
def test_microbatches_make_the_step_of_the_whole_batch(parts):
    def loss_fn(params, batch, rng):
        error = batch["x"] @ params["w"] - batch["y"]
        largest = jnp.max(-(error**2))
        return jnp.sum(error**2) / 16, {
            "count": jnp.asarray(len(error), jnp.float32),
            "text/error_max": largest,
        }

    optimizer = build(OptimizerConfig("adamw", ScheduleConfig("constant", base=0.1)), {"w": jnp.ones((4, 2))})
    want, expected = make_train_step(loss_fn, optimizer, seed=0)(_start(optimizer), _batch())
    step = make_train_step(loss_fn, optimizer, seed=0, split=lambda batch: in_parts(batch, parts))
    new, metrics = step(_start(optimizer), _batch())
    np.testing.assert_allclose(new.params["w"], want.params["w"], rtol=1e-5)
    assert metrics.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-5, err_msg=name)


def test_a_device_keeps_its_groups_when_a_batch_is_cut():
    groups = np.arange(8)  # of two devices, four each
    assert np.asarray(in_parts({"x": groups}, 4)["x"]).tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_parts_have_random_numbers_of_their_own():
    def noise(params, batch, rng):
        drawn = jax.random.normal(rng)
        return params["w"].sum() * 0.0 + drawn, {"square": drawn**2}

    step = make_train_step(noise, optax.sgd(0.0), seed=0, split=lambda batch: in_parts(batch, 2))
    _, metrics = step(_start(optax.sgd(0.0)), _batch())
    assert float(metrics["loss"]) ** 2 != pytest.approx(2 * float(metrics["square"]))
