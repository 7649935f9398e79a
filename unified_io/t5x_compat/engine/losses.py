"""The losses of a T5X run on every task of a mixture, with a folder of events each."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax

from unified_io.data import mixture, pipeline, proposals
from unified_io.model import UnifiedIOConfig
from unified_io.t5x_compat.engine.configs import DatasetConfig
from unified_io.train import mesh as meshes
from unified_io.train.telemetry import Events
from unified_io.train.validation import Validation

FOLDER = "training_eval"


@dataclasses.dataclass(frozen=True, eq=False)
class TaskLosses:
    """Computes losses on every task of a mixture that has the split.

    Attributes:
      model_dir: Gets events in `training_eval/<task>/`.
      model: The model, with the lengths of the evaluation.
      dataset: Which examples.
      batches: Of every task.
      z_loss: Weight of the z-loss.
    """

    model_dir: str
    model: UnifiedIOConfig
    dataset: DatasetConfig
    batches: int
    z_loss: float

    def check(self) -> None:
        """Raises ConfigError if no task has the split."""
        _ = self.tasks

    def __call__(self, mesh: jax.sharding.Mesh, params: Any, step: int) -> dict[str, float]:
        """Returns `<task>/<metric>`."""
        numbers: dict[str, float] = {}
        validation = self._validation(meshes.shards(mesh))
        for name, task in self.tasks.items():
            losses = validation.losses(task, mesh, params)
            numbers |= {f"{name}/{metric}": value for metric, value in losses.items()}
            if jax.process_index() == 0:
                self._write(name, step, losses)
        return numbers

    @functools.cached_property
    def tasks(self) -> dict[str, Any]:
        """The tasks, bound to the model, by name.

        Raises:
          ConfigError: None has the split.
        """
        bound = pipeline.bind(self.dataset.mixture_or_task_name, self.model.inputs, self.model.targets)
        return mixture.tasks_of(bound, self.dataset.split)

    def _validation(self, shards: int) -> Validation:
        if shards not in self._validations:
            budgets = proposals.padded(self.model, rows=max(1, self.dataset.batch_size // shards))
            examples = self.batches * self.dataset.batch_size
            made = Validation(self.model, budgets, examples, self.z_loss, self.dataset.split)
            self._validations[shards] = made
        return self._validations[shards]

    def _write(self, name: str, step: int, losses: dict[str, float]) -> None:
        if name not in self._events:
            self._events[name] = Events(Path(self.model_dir, FOLDER, name))
            self._events[name].restart(step)  # a run that was killed evaluates its last steps again
        self._events[name].write_scalars(step, losses)

    @functools.cached_property
    def _validations(self) -> dict[int, Validation]:
        """By number of shards; each is compiled once."""
        return {}

    @functools.cached_property
    def _events(self) -> dict[str, Events]:
        return {}
