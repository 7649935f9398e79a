"""Runs the stand-in for T5X in this process: one object that trains, evaluates and asks a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from tests.t5x_compat.upstream.t5x import metrics, partitioning, states, trainer
from unified_io.t5x_compat import axes


def partitioner():
    """As T5X's run files and ours set it up."""
    rules = partitioning.standard_logical_axis_rules(additional_rules=axes.additional_rules())
    return partitioning.PjitPartitioner(num_partitions=1, logical_axis_rules=rules)


class Trainer:
    """A trainer with the state that it begins with.

    Attributes:
      initializer: Knows shapes and places of the state.
      partitioner: The mesh.
    """

    def __init__(
        self, model: Any, batch: Mapping[str, np.ndarray], learning_rate_fn: Any, seed=0, **options: Any
    ):
        self.partitioner = partitioner()
        self.initializer = initializer(model, model.optimizer_def, batch, self.partitioner)
        self._trainer = trainer.Trainer(
            model=model,
            train_state=self.initializer.from_scratch(jax.random.PRNGKey(seed)),
            partitioner=self.partitioner,
            eval_names=(),
            summary_dir=None,
            train_state_axes=self.initializer.train_state_axes,
            rng=jax.random.PRNGKey(seed),
            learning_rate_fn=learning_rate_fn,
            **options,
        )

    @property
    def state(self) -> Any:
        """What is trained, after the last step."""
        return self._trainer.train_state

    def train(self, batch: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Makes one step; returns the numbers that would be logged."""
        return metrics.numbers(self._trainer.train(iter([dict(batch)]), 1, int(self.state.step)))

    def evaluate(self, batches: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
        """Returns the numbers that would be logged of batches together."""
        return metrics.numbers(self._trainer.eval({"all": batches})["all"])


def initializer(model, optimizer_def, batch, on):
    """What draws and describes the state of a model for such batches."""
    return states.TrainStateInitializer(
        optimizer_def=optimizer_def,
        init_fn=model.get_initial_variables,
        input_shapes={name: leaf.shape for name, leaf in batch.items()},
        input_types={name: leaf.dtype for name, leaf in batch.items()},
        partitioner=on,
    )
