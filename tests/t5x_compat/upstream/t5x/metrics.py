"""Metrics of batches: merged, made of zeros, computed, and written down."""

import dataclasses

import clu.metrics
import clu.values
import jax
import jax.numpy as jnp
import numpy as np
from clu import metric_writers
from flax import traverse_util
from flax.core import unfreeze

from .checkpoints import get_local_data


def is_metric(leaf):
    return isinstance(leaf, clu.metrics.Metric)


@jax.jit
def _merged(a, b):
    return jax.tree.map(lambda a, b: a.merge(b), a, b, is_leaf=is_metric)


def merge_metrics(a, b):
    """Merges the metrics of two batches."""
    return _merged(*jax.tree.map(get_local_data, (a, b)))


class WeightMetricsComputer:
    """Root mean squares of all parameters, gradients and steps."""

    def compute_metrics(self, gradients, old, new):
        steps = jax.tree.map(jnp.subtract, new.params, old.params)
        trees = {"weight_rms": new.params, "weight_gradient_rms": gradients, "weight_update_rms": steps}
        return {
            f"{what}/{name}": clu.metrics.Average.from_model_output(
                jnp.sqrt(jnp.mean(jnp.square(leaf)))[None]
            )
            for what, tree in trees.items()
            for name, leaf in traverse_util.flatten_dict(unfreeze(tree), sep="/").items()
        }


class MetricsManager:
    """Writes the values of metrics as events."""

    def __init__(self, name, summary_dir):
        self._writer = metric_writers.create_default_writer(summary_dir, collection=name, asynchronous=False)

    def write_metrics_summary(self, metrics, step):
        fetched = jax.tree.map(jax.device_get, metrics)
        values = {name: metric.compute_value() for name, metric in fetched.items()}
        assert all(isinstance(value, clu.values.Scalar) for value in values.values())
        metric_writers.write_values(self._writer, int(step), values)
        self._writer.flush()
        return values


def from_zeros(metric):
    """A metric of the same class, all of whose fields are zeros."""
    shapes = {field.name: getattr(metric, field.name) for field in dataclasses.fields(metric)}
    return type(metric)(
        **{
            name: from_zeros(shape)
            if is_metric(shape)
            else jnp.zeros(shape.shape, shape.dtype)
            if hasattr(shape, "shape")
            else shape
            for name, shape in shapes.items()
        }
    )


def numbers(values):
    """The plain numbers of metric values."""
    return {name: float(np.asarray(value.value)) for name, value in values.items()}
