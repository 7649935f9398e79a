"""A step that would do harm leaves no trace but its count, and says what it was."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from unified_io.errors import ConfigError
from unified_io.train.guard import CAUSES, SpikeConfig, explain, guard, names, report, was_made

SPIKES = SpikeConfig(sigmas=3.0, window=4)
PARAMS = {
    "decoder": {"kernel": jnp.full((2, 2), -0.0)},
    "encoder": {"bias": jnp.ones(3), "kernel": jnp.ones(2)},
}
GRADS = jax.tree.map(lambda p: jnp.full_like(p, 0.1), PARAMS)


def guarded(scale=1.0):
    inner = optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(0.1), optax.scale(scale))
    return guard(inner, lambda _: 0.1, clip_norm=None, spikes=SPIKES)


def after(losses, optimizer=None):
    """The parameters and the state after steps with these losses."""
    optimizer, params = optimizer or guarded(), PARAMS
    state = optimizer.init(params)
    for loss in losses:
        updates, state = jax.jit(optimizer.update)(GRADS, state, params, loss=jnp.float32(loss))
        params = optax.apply_updates(params, updates)
    return params, state


def bits(*trees):
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(trees)]


def with_bad(value):
    kernel = GRADS["encoder"]["kernel"].at[1].set(value)
    return {**GRADS, "encoder": {**GRADS["encoder"], "kernel": kernel}}


@pytest.mark.parametrize(
    ("cause", "grads", "loss", "scale"),
    [
        ("loss_not_finite", GRADS, jnp.nan, 1.0),
        ("loss_not_finite", with_bad(jnp.nan), jnp.inf, 1.0),
        ("gradient_not_finite", with_bad(jnp.nan), 1.0, 1.0),
        ("gradient_not_finite", with_bad(-jnp.inf), 1.0, 1.0),
        ("update_not_finite", GRADS, 1.0, jnp.inf),
        ("loss_spike", GRADS, 100.0, 1.0),
    ],
)
def test_harm_leaves_no_trace_but_its_count(cause, grads, loss, scale):
    params, state = after([1.0, 1.1, 0.9, 1.0, 1.05])
    updates, skipped = jax.jit(guarded(scale).update)(grads, state, params, loss=jnp.float32(loss))
    moved = optax.apply_updates(params, updates)
    assert bits(moved, skipped.inner, skipped.losses, skipped.count) == bits(
        params, state.inner, state.losses, state.count
    )
    told = {name: float(value) for name, value in report(skipped).items()}
    assert {name: told[f"skipped/{name}"] for name in CAUSES} == {**dict.fromkeys(CAUSES, 0.0), cause: 1.0}
    assert told["skipped_steps"] == told["skipped_in_a_row"] == 1 and not was_made(skipped)
    onwards, straight = (guarded().update(GRADS, s, params, loss=jnp.float32(1.0)) for s in (skipped, state))
    assert bits(onwards[0], onwards[1].inner) == bits(straight[0], straight[1].inner)
    assert int(onwards[1].in_a_row) == 0 and was_made(onwards[1])


def test_a_spike_is_far_above_the_last_losses_that_counted():
    calm = [1.0, 1.1, 0.9, 1.0]
    # Of 1.0, 1.1, 0.9 and 1.0 the deviation is 0.0707, so 1.22 is the limit.
    for loss, skipped in ((1.2, 0), (1.25, 1), (-9.0, 0)):
        assert int(report(after([*calm, loss])[1])["skipped/loss_spike"]) == skipped, loss
    assert int(report(after([*calm[:3], 50.0])[1])["skipped_steps"]) == 0, "the window is not full"
    assert int(report(after([*calm, 50.0, 50.0, 50.0])[1])["skipped_in_a_row"]) == 3, "spikes move no limit"
    _, state = after([7.0, *calm, 1.01])
    np.testing.assert_allclose(np.sort(state.losses[0]), [0.9, 1.0, 1.01, 1.1])


def test_without_a_loss_only_gradients_and_updates_are_looked_at():
    optimizer = guarded()
    _, state = optimizer.update(GRADS, optimizer.init(PARAMS), PARAMS)
    assert was_made(state)


def test_norms_of_parts_are_those_of_the_gradient():
    told = report(after([1.0])[1])
    assert float(told["grad_norm/decoder"]) == pytest.approx(0.1 * 4**0.5)
    assert float(told["grad_norm/encoder"]) == pytest.approx(0.1 * 5**0.5)
    assert float(told["grad_norm"]) == pytest.approx(0.1 * 9**0.5)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"loss": 4.0}, "its loss of 4 is a spike"),
        ({"loss": np.nan, "text/loss": 1.0, "image/loss": np.inf}, "not finite is its image/loss"),
        ({"grad_norm": np.nan, "bad_update": 2}, "not finite is the gradient of encoder/kernel"),
        ({"bad_update": 0}, "not finite is the update of decoder/kernel"),
        ({"grad_norm": np.inf}, "not finite is the norm of its gradient"),
        ({"bad_parameter": 1, "loss": np.nan}, "not finite is the parameter frozen/kernel, its loss"),
    ],
)
def test_what_was_wrong_is_named(bad, said):
    metrics = {"loss": 1.0, "grad_norm": 1.0, "bad_update": -1, "bad_parameter": -1, **bad}
    known = names(guarded().init(PARAMS))
    assert explain(metrics, {"x": np.ones(2)}, known, ["decoder/kernel", "frozen/kernel"]) == said


def test_a_bad_feature_is_named_first():
    batch = {"inputs": {"image": {"pixels": np.array([1.0, np.inf]), "mask": np.array([True])}}}
    assert (
        explain({"loss": np.nan}, batch, (), ()) == "not finite is inputs/image/pixels in its batch, its loss"
    )


def test_impossible_spikes_are_refused():
    with pytest.raises(ConfigError, match="window=1 and sigmas=6.0; give a window of at least 2"):
        SpikeConfig(window=1)
    with pytest.raises(ConfigError, match="more than 0 standard deviations"):
        SpikeConfig(sigmas=float("nan"))
