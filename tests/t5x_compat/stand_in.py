"""Plays the part of T5X: calls of a model what T5X calls, in its order, and nothing else. Imports nothing of T5X."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import flax.core
import jax
import numpy as np
from flax import traverse_util
from flax.linen import partitioning
from jax.sharding import PartitionSpec

RULES = (("batch", "data"), ("vocab", "model"), ("mlp", "model"), ("joined_kv", "model"), ("embed", None))


class Trainer:
    """A trainer that holds an optimizer with its parameters.

    Attributes:
      optimizer: After the last step.
      mesh_axes: An optimizer with a place on the mesh for every array.
    """

    def __init__(self, model: Any, batch: Mapping[str, np.ndarray], learning_rate_fn: Any, seed: int = 0):
        initial = model.get_initial_variables
        assert initial.__self__ is model
        shapes = {name: leaf.shape for name, leaf in batch.items()}
        types = {name: leaf.dtype for name, leaf in batch.items()}
        self._model, self._rate, self._rng = model, learning_rate_fn, jax.random.PRNGKey(seed)

        def create(rng):
            variables = initial(rng, shapes, types)
            rest, params = flax.core.frozen_dict.pop(variables, "params")
            assert list(rest) == ["params_axes"]
            return model.optimizer_def.create(params)

        axes = jax.eval_shape(lambda rng: initial(rng, shapes), self._rng)["params_axes"]
        names = partitioning.get_axis_names(axes)
        logical = model.optimizer_def.derive_logical_axes(jax.eval_shape(create, self._rng), names)
        self.mesh_axes = logical.restore_state(_on_mesh(logical.state_dict()))
        self.optimizer = jax.jit(create)(self._rng)
        self._step = jax.jit(self._train_step)

    def train(self, batch: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Makes one step; returns the clu metrics."""
        self.optimizer, metrics = self._step(self.optimizer, dict(batch))
        return metrics

    def _train_step(self, optimizer, batch):
        rng = jax.random.fold_in(self._rng, optimizer.state.step)
        compute = jax.value_and_grad(self._model.loss_fn, has_aux=True)
        (_, metrics), grads = compute(optimizer.target, batch, rng)
        rate = self._rate(optimizer.state.step)
        return optimizer.apply_gradient(grads, learning_rate=rate), metrics


def merge(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merges the metrics of several batches."""
    return {
        name: functools.reduce(lambda a, b: a.merge(b), (each[name] for each in metrics))
        for name in metrics[0]
    }


def computed(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The numbers T5X would log."""
    return {name: float(jax.device_get(metric).compute_value().value) for name, metric in metrics.items()}


def _on_mesh(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Gives every array a place, by its logical names; what has none is replicated."""
    flat = traverse_util.flatten_dict(state_dict, keep_empty_nodes=True, sep="/")
    assert not any(leaf is traverse_util.empty_node for leaf in flat.values())
    places = {
        name: None if names is None else partitioning.logical_to_mesh_axes(names, RULES)
        for name, names in flat.items()
    }
    assert all(place is None or isinstance(place, PartitionSpec) for place in places.values())
    return traverse_util.unflatten_dict(places, sep="/")
