"""Our optimizers, driven as T5X drives one: the same steps, a state that comes back, names for all of it."""

import flax.core
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import traverse_util
from jax.sharding import PartitionSpec

from unified_io import pytree
from unified_io.errors import CheckpointError
from unified_io.t5x_compat import layout
from unified_io.t5x_compat.optimizer import OptimizerDef
from unified_io.train import optimizer as optimizers
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.state import TrainState

RATE = ScheduleConfig("constant * linear_warmup", base=0.1, warmup_steps=3)
CONFIGS = [
    OptimizerConfig("adamw", RATE, weight_decay=0.1),
    OptimizerConfig("adafactor", RATE, min_dim_to_factor=4, weight_decay=0.1),
    OptimizerConfig("muon", RATE),
    OptimizerConfig("adamw", RATE, frozen=("^codes/",)),
]
AXES = {
    "layer": {"kernel": PartitionSpec("embed", "mlp"), "bias": PartitionSpec("mlp")},
    "codes": {"embedding": PartitionSpec("vocab", "embed")},
}
each = pytest.mark.parametrize("config", CONFIGS, ids=["adamw", "adafactor", "muon", "frozen"])


def params():
    keys = jax.random.split(jax.random.key(0), 3)
    return flax.core.freeze(
        {
            "layer": {
                "kernel": jax.random.normal(keys[0], (6, 8)),
                "bias": jax.random.normal(keys[1], (8,)),
            },
            "codes": {"embedding": jax.random.normal(keys[2], (5, 6))},
        }
    )


def grads(step):
    return jax.tree.map(lambda p: jnp.sin(7.0 * p + step), params())


def stepped(config, steps=3):
    """Our optimizer after some steps by its own schedule, and T5X's of it by the same learning rates."""
    ours = optimizers.build(config, params())
    state = TrainState.create(params(), ours)
    rate = optimizers.schedule(config.learning_rate)
    theirs = OptimizerDef(config).create(params())
    advance = jax.jit(lambda opt, grads: opt.apply_gradient(grads, learning_rate=rate(opt.state.step)))
    for step in range(steps):
        updates, opt_state = ours.update(grads(step), state.opt_state, state.params)
        moved = optax.apply_updates(state.params, updates)
        state = state.replace(step=state.step + 1, params=moved, opt_state=opt_state)
        theirs = advance(theirs, grads(step))
    return state, theirs


def same(a, b):
    assert a.keys() == b.keys()
    for name, leaf in a.items():
        np.testing.assert_allclose(leaf, b[name], rtol=2e-5, atol=1e-6, err_msg=name)


@each
def test_steps_are_those_of_our_engine(config):
    state, theirs = stepped(config)
    same(pytree.named_leaves(theirs.target), pytree.named_leaves(state.params))
    same(pytree.named_leaves(theirs.state.param_states), pytree.named_leaves(state.opt_state))
    assert int(theirs.state.step) == int(state.step) == 3
    moved = np.abs(theirs.target["layer"]["kernel"] - params()["layer"]["kernel"]).max()
    assert moved > 1e-3, "nothing was trained"


@each
def test_the_state_has_the_layout_of_t5x_and_comes_back(config):
    state, theirs = stepped(config)
    tree = theirs.state_dict()
    assert tree.keys() == {"target", "state"} and tree["state"].keys() == {"step", "param_states"}
    flat = traverse_util.flatten_dict(tree, keep_empty_nodes=True, sep="/")
    assert not any(leaf is traverse_util.empty_node for leaf in flat.values())
    assert flat.keys() == traverse_util.flatten_dict(layout.to_t5x(state), sep="/").keys()
    fresh = OptimizerDef(config).create(params()).restore_state(tree)
    assert jax.tree.structure(fresh.state) == jax.tree.structure(theirs.state)
    same(pytree.named_leaves(fresh.target), pytree.named_leaves(theirs.target))
    same(pytree.named_leaves(fresh.state), pytree.named_leaves(theirs.state))


def test_the_trainer_says_how_far_a_step_goes():
    start = OptimizerDef(CONFIGS[0]).create(params())
    near, far = (start.apply_gradient(grads(0), learning_rate=rate).target for rate in (0.01, 0.02))
    kernel = params()["layer"]["kernel"]
    np.testing.assert_allclose(
        far["layer"]["kernel"] - kernel, 2 * (near["layer"]["kernel"] - kernel), rtol=1e-3, atol=1e-6
    )


@each
def test_a_state_as_large_as_its_parameter_has_its_names(config):
    definition = OptimizerDef(config)
    shapes = jax.eval_shape(definition.create, params())
    logical = definition.derive_logical_axes(shapes, flax.core.freeze(AXES))
    arrays = traverse_util.flatten_dict(shapes.state_dict(), sep="/")
    found = traverse_util.flatten_dict(logical.state_dict(), sep="/")
    assert found.keys() == arrays.keys() and found["state/step"] is None
    named = {name: names for name, names in found.items() if names is not None}
    assert all(len(names) == len(arrays[name].shape) for name, names in named.items())
    wanted = traverse_util.flatten_dict(AXES, sep="/")
    for name, names in named.items():
        assert names == next(axes for param, axes in wanted.items() if name.endswith(f"/{param}")), name
    states = [name for name in named if name.startswith("state/")]
    assert any(name.endswith("layer/kernel") for name in states) or config.name == "adafactor"
    assert logical.restore_state(logical.state_dict()).state_dict() == logical.state_dict()


def test_a_state_of_another_optimizer_is_named():
    tree = OptimizerDef(CONFIGS[1]).create(params()).state_dict()
    with pytest.raises(CheckpointError, match="has no state/param_states/.*of another model or another opt"):
        OptimizerDef(CONFIGS[0]).create(params()).restore_state(tree)
