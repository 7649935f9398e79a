"""Our optimizers as T5X drives them: it holds the parameters with their state, and brings the learning rate."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.struct
import flax.traverse_util
import jax
import jax.numpy as jnp
import optax

from unified_io import pytree
from unified_io.errors import CheckpointError
from unified_io.train import optimizer as optimizers
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig


@flax.struct.dataclass
class OptimizerState:
    """What an optimizer keeps.

    Attributes:
      step: int32 scalar, the number of gradients seen.
      param_states: The state of the optax transformation.
    """

    step: Any
    param_states: Any


@flax.struct.dataclass
class Optimizer:
    """Parameters with the state of their optimizer.

    Attributes:
      optimizer_def: What made it.
      state: Its state.
      target: The parameters.
    """

    optimizer_def: "OptimizerDef" = flax.struct.field(pytree_node=False)
    state: OptimizerState
    target: Any

    def apply_gradient(self, grads: Any, learning_rate: Any) -> "Optimizer":
        """Returns it one step further, at the learning rate of the trainer."""
        transform = self.optimizer_def.transform(self.target, learning_rate)
        updates, param_states = transform.update(grads, self.state.param_states, self.target)
        state = OptimizerState(self.state.step + 1, param_states)
        return self.replace(state=state, target=optax.apply_updates(self.target, updates))

    def state_dict(self) -> dict[str, Any]:
        """Returns `{"target": …, "state": {"step": …, "param_states": …}}`, nested dicts without an empty one.

        It holds names of axes, places on a mesh and None as well as arrays; T5X asks for all of them.
        """
        tree = {"step": self.state.step, **_below("param_states", self.state.param_states)}
        return {"target": pytree.nested(_named(self.target)), "state": tree}

    def restore_state(self, state_dict: Mapping[str, Any]) -> "Optimizer":
        """Returns it with everything taken from what `state_dict` gave.

        Raises:
          CheckpointError: Something is missing in it; names it.
        """
        found = flax.traverse_util.flatten_dict(dict(state_dict), sep="/")

        def restored(tree: Any, prefix: str) -> Any:
            wanted = _named(tree)
            if missing := sorted(name for name in wanted if prefix + name not in found):
                raise CheckpointError(
                    f"the state has no {prefix}{missing[0]} ({len(missing)} of {len(wanted)} are missing); "
                    "it is of another model or another optimizer"
                )
            structure = jax.tree.structure(tree, is_leaf=_is_none)
            return jax.tree.unflatten(structure, [found[prefix + name] for name in wanted])

        param_states = restored(self.state.param_states, "state/param_states/")
        state = OptimizerState(found["state/step"], param_states)
        return self.replace(state=state, target=restored(self.target, "target/"))


@dataclasses.dataclass(frozen=True, eq=False)
class OptimizerDef:
    """Makes optimizers.

    Attributes:
      config: Which optimizer. Its schedule is not asked: T5X's trainer gives the rate of every step. To train by the
        schedule bind it there: `trainer.Trainer.learning_rate_fn = @optimizer.schedule()`.
    """

    config: OptimizerConfig

    def create(self, params: Any) -> Optimizer:
        """Returns the optimizer of these parameters before the first step."""
        state = OptimizerState(jnp.zeros((), jnp.int32), self.transform(params, 0.0).init(params))
        return Optimizer(self, state, params)

    def derive_logical_axes(self, optimizer: Optimizer, param_logical_axes: Any) -> Optimizer:
        """Returns an optimizer that holds names of axes where `optimizer` holds arrays.

        A state as large as its parameter has its parameter's names; any other has None, which is replicated.

        Args:
          optimizer: With arrays or shapes.
          param_logical_axes: The names, a tree like that of the parameters.
        """
        params = _named(optimizer.target)
        axes = flax.traverse_util.flatten_dict(dict(flax.core.unfreeze(param_logical_axes)), sep="/")

        def of_state(name: str, leaf: Any) -> Any:
            parts = name.split("/")
            suffixes = ("/".join(parts[start:]) for start in range(len(parts)))
            param = next((suffix for suffix in suffixes if suffix in params), None)
            return axes[param] if param and params[param].shape == leaf.shape else None

        state = OptimizerState(None, pytree.map_named(of_state, optimizer.state.param_states))
        return optimizer.replace(state=state, target=param_logical_axes)

    def transform(self, params: Any, learning_rate: Any) -> optax.GradientTransformation:
        """Returns the optax transformation of one step, at this learning rate."""
        rate = ScheduleConfig("constant", base=learning_rate)
        return optimizers.build(dataclasses.replace(self.config, learning_rate=rate), params)


def _named(tree: Any) -> dict[str, Any]:
    """The leaves by name, None among them."""
    paths, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=_is_none)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}


def _below(key: str, tree: Any) -> dict[str, Any]:
    """The tree as nested dicts under a key; nothing where it holds nothing."""
    nested = pytree.nested(_named(tree))
    return {key: nested} if nested else {}


def _is_none(leaf: Any) -> bool:
    return leaf is None
