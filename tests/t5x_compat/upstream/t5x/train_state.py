"""What is trained or restored: parameters, their optimizer, and the logical names of their axes."""

from typing import Any

import flax.core
import flax.struct
import jax.numpy as jnp
from flax import traverse_util
from flax.linen import partitioning as flax_partitioning

NOTHING = flax.core.freeze({})


class FlaxOptimTrainState(flax.struct.PyTreeNode):
    """Parameters that live in an optimizer."""

    optimizer: Any
    params_axes: Any = None
    flax_mutables: Any = NOTHING

    @classmethod
    def create(cls, optimizer_def, variables):
        params, axes = _apart(variables)
        assert not hasattr(optimizer_def, "set_param_axes")
        return cls(optimizer_def.create(params), axes)

    step = property(lambda self: self.optimizer.state.step)
    params = property(lambda self: self.optimizer.target)
    param_states = property(lambda self: self.optimizer.state.param_states)

    def state_dict(self):
        return self.optimizer.state_dict()

    def restore_state(self, state_dict):
        return self.replace(optimizer=self.optimizer.restore_state(state_dict), flax_mutables=NOTHING)

    def apply_gradient(self, grads, learning_rate):
        return self.replace(optimizer=self.optimizer.apply_gradient(grads, learning_rate=learning_rate))

    def as_logical_axes(self):
        names = flax_partitioning.get_axis_names(self.params_axes)
        optimizer = self.optimizer.optimizer_def.derive_logical_axes(self.optimizer, names)
        return FlaxOptimTrainState(optimizer)


class InferenceState(flax.struct.PyTreeNode):
    """Parameters alone, with the step they were trained for."""

    step: Any
    params: Any
    params_axes: Any = None
    flax_mutables: Any = NOTHING

    @classmethod
    def create(cls, variables):
        params, axes = _apart(variables)
        return cls(jnp.array(0), params, axes)

    def state_dict(self):
        return {"target": flax.core.unfreeze(self.params), "state": {"step": self.step}}

    def restore_state(self, state_dict):
        params = flax.core.freeze(state_dict["target"])
        return self.replace(params=params, step=state_dict["state"]["step"], flax_mutables=NOTHING)

    def as_logical_axes(self):
        return InferenceState(None, flax_partitioning.get_axis_names(self.params_axes))


def _apart(variables):
    """Parameters and their axes; there must be nothing else, and a name for every axis."""
    rest, params = flax.core.pop(variables, "params")
    rest, axes = flax.core.pop(rest, "params_axes")
    assert not rest
    named = traverse_util.flatten_dict(flax_partitioning.get_axis_names(axes), sep="/")
    assert named.keys() == traverse_util.flatten_dict(params, sep="/").keys()
    return params, axes
