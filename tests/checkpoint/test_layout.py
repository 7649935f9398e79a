"""A checkpoint has T5X's names, so that either engine goes on from what the other wrote."""

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io import pytree
from unified_io.checkpoint import Checkpoints, layout, load_params
from unified_io.errors import CheckpointError
from unified_io.train import optimizer as optimizers
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.state import TrainState

CONFIG = OptimizerConfig("adamw", frozen=("^codes/",))
PARAMS = {
    "layer": {"kernel": np.arange(12.0, dtype=np.float32).reshape(3, 4)},
    "codes": {"embedding": np.ones((2, 3), np.float32)},
}


@pytest.fixture(scope="module")
def state():
    made = TrainState.create(PARAMS, optimizers.build(CONFIG, PARAMS))
    return jax.tree.map(lambda leaf: leaf + 1, made)


@pytest.fixture(scope="module")
def theirs(state):
    """The state as T5X keeps it."""
    named = pytree.named_leaves(state)
    optimizer = {k.removeprefix("opt_state/"): v for k, v in named.items() if k.startswith("opt_state/")}
    return {
        "target": state.params,
        "state": {"step": state.step, "param_states": pytree.nested(optimizer)},
    }


def equal(a, b):
    a, b = pytree.named_leaves(a), pytree.named_leaves(b)
    assert a.keys() == b.keys()
    for name, leaf in a.items():
        np.testing.assert_array_equal(leaf, b[name], err_msg=name)


@given(
    st.sampled_from(
        ["step", "params/a", "params/params/b", "opt_state/0/mu/w", "extra/state/c", "params_of/d"]
    )
)
def test_names_come_back(name):
    assert layout.in_memory(layout.stored(name)) == name


def test_plain_orbax_finds_what_t5x_looks_for(state, theirs, tmp_path):
    with Checkpoints(tmp_path) as kept:
        kept.save(1, state, wait=True)
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
        equal(reader.restore(tmp_path / "checkpoint_1" / "state"), theirs)


@pytest.fixture
def written(theirs, tmp_path):
    """A folder in which T5X saved step 7."""
    options = ocp.CheckpointManagerOptions(step_prefix="checkpoint")
    with ocp.CheckpointManager(tmp_path, options=options) as manager:
        manager.save(7, args=ocp.args.Composite(state=ocp.args.PyTreeSave(theirs)))
    return tmp_path


def test_a_run_goes_on_from_a_checkpoint_of_t5x(state, written):
    with Checkpoints(written) as kept, pytest.warns(UserWarning, match="can not be verified"):
        assert kept.latest() == 7
        equal(kept.restore(pytree.abstract(state)), state)
        assert kept.notes(7) == {}
        kept.save(8, state, wait=True)
    with Checkpoints(written) as kept:
        assert kept.steps() == [7, 8]
        equal(kept.restore(pytree.abstract(state)), state)


def test_parameters_are_read_from_a_checkpoint_of_t5x(state, written):
    with pytest.warns(UserWarning, match="can not be verified"):
        params, report = load_params(written, PARAMS)
    equal(params, state.params)
    assert report.initialised == report.unused == ()


def test_another_optimizer_is_named_as_we_name_it(state, written):
    other = state.replace(opt_state={"momentum": np.zeros(3)})
    with Checkpoints(written) as kept, pytest.raises(CheckpointError, match="opt_state/momentum"):
        kept.restore(pytree.abstract(other), step=7)


def test_ours_without_its_manifest_is_damaged(state, tmp_path):
    with Checkpoints(tmp_path) as kept:
        kept.save(1, state, wait=True)
        (tmp_path / "checkpoint_1" / "state" / "manifest.json").unlink()
        with pytest.raises(CheckpointError, match=r"manifest\.json is missing"):
            kept.restore(pytree.abstract(state), step=1)
