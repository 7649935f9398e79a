"""Checkpoints go both ways between our engine and T5X."""

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from unified_io import checkpoint, pytree
from unified_io.checkpoint import Checkpoints
from unified_io.errors import CheckpointError, ConfigError
from unified_io.t5x_compat import layout
from unified_io.t5x_compat.optimizer import OptimizerDef
from unified_io.train import optimizer as optimizers
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.state import TrainState

CONFIG = OptimizerConfig("adamw", frozen=("^codes/",))
PARAMS = {
    "layer": {"kernel": np.arange(12.0, dtype=np.float32).reshape(3, 4)},
    "codes": {"embedding": np.ones((2, 3), np.float32)},
}


@pytest.fixture
def state():
    made = TrainState.create(PARAMS, optimizers.build(CONFIG, PARAMS))
    return jax.tree.map(lambda leaf: leaf + 1, made)


def equal(a, b):
    a, b = pytree.named_leaves(a), pytree.named_leaves(b)
    assert a.keys() == b.keys()
    for name, leaf in a.items():
        np.testing.assert_array_equal(leaf, b[name], err_msg=name)


def test_a_state_in_the_layout_of_t5x_comes_back(state):
    tree = layout.to_t5x(state)
    assert int(tree["state"]["step"]) == 1 and tree["target"].keys() == PARAMS.keys()
    equal(layout.from_t5x(tree, jax.eval_shape(lambda: state)), state)


def test_the_optimizer_that_t5x_drives_goes_on_from_our_state(state):
    restored = OptimizerDef(CONFIG).create(PARAMS).restore_state(layout.to_t5x(state))
    equal(restored.target, state.params)
    equal(restored.state.param_states, state.opt_state)


def test_our_checkpoints_hold_and_give_back_what_t5x_reads(state, tmp_path):
    tree = layout.to_t5x(state)
    with Checkpoints(tmp_path) as kept:
        kept.save(1, tree, wait=True)
        equal(kept.restore(pytree.abstract(tree)), tree)
    # T5X reads with plain orbax, from the folder of the step
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
        equal(reader.restore(tmp_path / "checkpoint_1" / "state"), tree)


def test_parameters_are_read_from_a_checkpoint_that_t5x_wrote(state, tmp_path):
    options = ocp.CheckpointManagerOptions(step_prefix="checkpoint")
    with ocp.CheckpointManager(tmp_path, options=options) as manager:
        item = ocp.args.PyTreeSave(OptimizerDef(CONFIG).create(PARAMS).state_dict())
        manager.save(0, args=ocp.args.Composite(state=item))
    with pytest.warns(UserWarning, match="can not be verified"):
        params, report = checkpoint.load_params(tmp_path, PARAMS)
    equal(params, PARAMS)
    assert report.initialised == report.unused == ()


def test_what_can_not_be_said_in_the_layout_is_named(state):
    with pytest.raises(ConfigError, match="no place for codebook"):
        layout.to_t5x(state.replace(extra={"codebook": np.zeros(3)}))
    tree = layout.to_t5x(state)
    del tree["target"]["layer"]
    with pytest.raises(CheckpointError, match="no target/layer/kernel"):
        layout.from_t5x(tree, state)
