"""The train loop: gradients, perhaps of microbatches, and the learning rate of the step."""

import clu.metrics
import jax
import jax.numpy as jnp
from flax.core import FrozenDict

from .metrics import MetricsManager, WeightMetricsComputer, from_zeros, merge_metrics

__all__ = ["Trainer", "WeightMetricsComputer", "accumulated"]


class Trainer:
    def __init__(
        self,
        model,
        train_state,
        partitioner,
        eval_names,
        summary_dir,
        train_state_axes,
        rng,
        learning_rate_fn,
        num_microbatches=None,
        weight_metrics_computer=None,
    ):
        self.train_state, self._model, self._rng = train_state, model, rng
        self._rate, self._microbatches, self._weights = (
            learning_rate_fn,
            num_microbatches,
            weight_metrics_computer,
        )
        self._managers = {
            name: MetricsManager(name, summary_dir)
            for name in ("train", *(f"training_eval/{each}" for each in eval_names))
            if summary_dir
        }
        data = partitioner.data_partition_spec
        self._train_step = partitioner.partition(
            self._train, (train_state_axes, data), (train_state_axes, None), donate_argnums=(0,)
        )
        self._eval_step = partitioner.partition(
            lambda state, batch: model.eval_fn(state.params, batch)[1], (train_state_axes, data), None
        )
        self._compiled = {}

    def train(self, batches, num_steps, start_step):
        """Takes steps; returns the values of their metrics together."""
        metrics = None
        for _ in range(num_steps):
            self.train_state, update = self._train_step(self.train_state, next(batches))
            metrics = merge_metrics(metrics, update) if metrics else update
        metrics["timing/uptime"] = clu.metrics.LastValue.from_model_output(jnp.asarray([1.0]))
        return self._written("train", metrics, start_step + num_steps)

    def eval(self, batches):
        """Returns the values of the metrics over the batches of every evaluated task."""
        found = {}
        for name, several in batches.items():
            metrics = None
            for batch in several:
                update = self._eval_step(self.train_state, batch)
                metrics = merge_metrics(metrics, update) if metrics else update
            found[name] = self._written(f"training_eval/{name}", metrics, self.train_state.step)
        return found

    def compile_eval(self, batches):
        """Makes sure that batches of zeros have types of their own."""
        for batch in batches.values():
            hash(FrozenDict(jax.eval_shape(lambda batch=batch: batch)))

    def _written(self, name, metrics, step):
        if name in self._managers:
            return self._managers[name].write_metrics_summary(metrics, step)
        return {key: metric.compute_value() for key, metric in jax.device_get(metrics).items()}

    def _train(self, state, batch):
        rate, rng = self._rate(state.step), jax.random.fold_in(self._rng, state.step)
        grads, metrics = accumulated(self._model, state, batch, rng, self._microbatches)
        new = state.apply_gradient(grads, learning_rate=rate)
        metrics["learning_rate"] = clu.metrics.Average.from_model_output(jnp.asarray([rate]))
        metrics["learning_rate/current"] = clu.metrics.LastValue.from_model_output(jnp.asarray([rate]))
        if self._weights is not None:
            metrics.update(self._weights.compute_metrics(grads, state, new))
        return new, metrics


def accumulated(model, state, batch, rng, microbatches):
    """Gradients of a batch, or the sum of those of its parts, and the metrics of all of it."""
    rows = next(iter(batch.values())).shape[0]
    differentiate = jax.value_and_grad(model.loss_fn, has_aux=True)
    if not microbatches or microbatches <= 1:
        (_, metrics), grads = differentiate(state.params, batch, rng)
        return grads, metrics
    assert rows % microbatches == 0
    size = rows // microbatches

    def part(number, rng):
        rng, own = jax.random.split(rng)
        starts = {name: [number * size] + [0] * (leaf.ndim - 1) for name, leaf in batch.items()}
        cut = {
            name: jax.lax.dynamic_slice(leaf, starts[name], [size, *leaf.shape[1:]])
            for name, leaf in batch.items()
        }
        (_, metrics), grads = differentiate(state.params, cut, own)
        return metrics, grads

    def step(number, carry):
        rng, total, before = carry
        metrics, grads = part(number, rng)
        total = jax.tree.map(jnp.add, total, grads)
        both = jax.lax.cond(number == 0, lambda _: metrics, lambda _: merge_metrics(before, metrics), None)
        return rng, total, both

    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, jnp.float32), state.params)
    shapes, _ = jax.eval_shape(part, number=0, rng=rng)
    empty = {name: from_zeros(metric) for name, metric in shapes.items()}
    _, grads, metrics = jax.lax.fori_loop(0, microbatches, step, (rng, zeros, empty))
    return grads, metrics
