"""Where a run begins: which checkpoints there are, and steps that are numbered on from one."""

import jax
import jax.numpy as jnp
import pytest

from unified_io.train import optimizer as optimizers
from unified_io.train import start
from unified_io.train.guard import SpikeConfig
from unified_io.train.optimizer import OptimizerConfig, ParameterGroup, ScheduleConfig
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step

RATE = ScheduleConfig("constant * rsqrt_decay", base=0.5, warmup_steps=1)
FIRST = 10_000


def test_checkpoints_are_found_by_their_names_oldest_first(tmp_path):
    for name in ("checkpoint_9", "checkpoint_100", "damaged_checkpoint_7", "checkpoint_5.tmp-1", "model"):
        (tmp_path / name).mkdir()
    assert list(start.checkpoints_in(tmp_path)) == [9, 100]
    assert start.checkpoints_in(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("path", "step"),
    [("a/checkpoint_12", 12), ("a/checkpoint_12/", 12), ("a/model", None), ("checkpoint_x", None)],
)
def test_the_step_of_a_checkpoint_is_in_its_name(path, step):
    assert start.step_of(path) == step


def trained(config, first, steps=3):
    """The metrics of some steps on a parabola, from a state whose first step has this number."""
    params = {"a": {"kernel": jnp.ones((4, 3))}, "b": {"scale": jnp.ones(3)}}
    optimizer = optimizers.build(config, params)

    def loss_fn(params, batch, rng):
        loss = sum(jnp.square(leaf).sum() for leaf in jax.tree.leaves(params))
        return loss, {}

    state = TrainState.create(params, optimizer)
    state = start.numbered_from(state, first) if first else state
    step, found = make_train_step(loss_fn, optimizer, seed=0), []
    for _ in range(steps):
        state, metrics = step(state, {})
        found.append({name: float(value) for name, value in metrics.items()})
    return state, found


@pytest.mark.parametrize(
    "config",
    [
        OptimizerConfig("adamw", RATE),
        OptimizerConfig("adafactor", RATE),
        OptimizerConfig("muon", RATE),
        OptimizerConfig("adamw", RATE, groups=(ParameterGroup("^a", 0.5),), frozen=("^b",)),
        OptimizerConfig("adamw", RATE, spikes=SpikeConfig(window=2)),
    ],
    ids=["adamw", "adafactor", "muon", "groups", "spikes"],
)
def test_steps_and_rates_are_numbered_on_and_moments_begin_anew(config):
    schedule = optimizers.schedule(RATE)
    state, found = trained(config, FIRST)
    _, fresh = trained(config, 0)
    assert int(state.step) == FIRST + 3
    for made, metrics in enumerate(found):
        assert metrics["learning_rate"] == pytest.approx(float(schedule(FIRST + made)), rel=1e-6)
        assert metrics["skipped_steps"] == 0
    # The first update has the size that its rate asks for, as in a run from 0: small rate, small change of the loss.
    drop, drop_fresh = (metrics[0]["loss"] - metrics[1]["loss"] for metrics in (found, fresh))
    assert 0 < drop < drop_fresh / 20
