"""Our optimizers, driven as T5X drives one: the same steps, names for all of the state, checkpoints both can read."""

import flax.core
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import traverse_util
from jax.sharding import PartitionSpec

from tests.t5x_compat.stand_in import partitioner
from tests.t5x_compat.upstream.t5x import checkpoints as t5x_checkpoints
from tests.t5x_compat.upstream.t5x import states as t5x_states
from unified_io import checkpoint, pytree
from unified_io.errors import CheckpointError
from unified_io.t5x_compat import axes
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
    assert flat.keys() == {checkpoint.layout.stored(name) for name in pytree.named_leaves(state)}
    assert all(leaf is not None for leaf in flat.values()), "T5X can not save a None"
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


class Drawn:
    """As much of a model as it takes to draw parameters."""

    def get_initial_variables(self, rng, input_shapes, input_types=None):
        return axes.variables(flax.core.unfreeze(params()))


def initializer(definition):
    return t5x_states.TrainStateInitializer(definition, Drawn().get_initial_variables, {}, partitioner())


def manager(folder, of):
    return t5x_checkpoints.Manager(
        folder, of.global_train_state_shape, partitioner(), restore_dtype="float32"
    )


@each
@pytest.mark.filterwarnings("ignore:Sharding info not provided")
def test_t5x_goes_on_from_what_our_engine_saved(config, tmp_path):
    state, theirs = stepped(config)
    with checkpoint.Checkpoints(tmp_path) as kept:
        kept.save(3, state.replace(extra={"more": jnp.ones(2)}), notes={"data": {"epoch": 1}}, wait=True)
    assert t5x_checkpoints.all_steps(tmp_path) == [3]
    found = manager(tmp_path, initializer(OptimizerDef(config))).restore(f"{tmp_path}/checkpoint_3")
    same(pytree.named_leaves(found.params), pytree.named_leaves(theirs.target))
    same(pytree.named_leaves(found.param_states), pytree.named_leaves(theirs.state.param_states))
    assert int(found.step) == 3
    # For evaluation and inference it wants the parameters and the step alone.
    inside = f"{tmp_path}/checkpoint_3/"
    found = manager(inside, initializer(None)).restore(inside)
    same(pytree.named_leaves(found.params), pytree.named_leaves(theirs.target))
    assert int(found.step) == 3


@each
@pytest.mark.filterwarnings("ignore:.*can not be verified")
def test_our_engine_goes_on_from_what_t5x_saved(config, tmp_path):
    state, theirs = stepped(config)
    of = initializer(OptimizerDef(config))
    manager(tmp_path, of).save(of.from_scratch(jax.random.PRNGKey(0)).replace(optimizer=theirs))
    with checkpoint.Checkpoints(tmp_path) as kept:
        assert kept.steps() == [3]
        found = kept.restore(pytree.abstract(state))
    assert int(found.step) == 3
    same(pytree.named_leaves(found), pytree.named_leaves(state))
    same(pytree.named_leaves(checkpoint.load_params(tmp_path)[0]), pytree.named_leaves(state.params))
