"""A state begins at step zero and is one pytree."""

import jax
import jax.numpy as jnp
import optax

from unified_io import pytree
from unified_io.train.state import TrainState


def test_a_new_state_is_a_pytree_at_step_zero():
    state = TrainState.create({"w": jnp.ones(2)}, optax.adam(0.1))
    assert int(state.step) == 0 and state.extra == {}
    names = pytree.named_leaves(state)
    assert "step" in names and "params/w" in names and "opt_state/0/mu/w" in names
    again = pytree.from_named(names, jax.eval_shape(lambda: state))
    assert jax.tree.structure(again) == jax.tree.structure(state)
    assert again.params["w"] is state.params["w"]


def test_a_state_can_be_abstract():
    shapes = jax.eval_shape(
        lambda: TrainState.create({"w": jnp.ones(2)}, optax.sgd(0.1), extra={"n": jnp.ones(())})
    )
    assert shapes.params["w"].shape == (2,) and shapes.extra["n"].shape == ()


def test_nested_undoes_names():
    tree = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert pytree.nested(pytree.named_leaves(tree)) == tree
