"""T5X's `evaluate`: the metrics of a mixture's tasks, for one checkpoint or many."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from unified_io.errors import ConfigError
from unified_io.model import parameter_shapes
from unified_io.t5x_compat import model_info
from unified_io.t5x_compat.engine.configs import DatasetConfig, RestoreCheckpointConfig
from unified_io.t5x_compat.engine.metrics import TaskMetrics
from unified_io.t5x_compat.engine.partitioning import PjitPartitioner
from unified_io.t5x_compat.engine.predictor import Predictor
from unified_io.t5x_compat.model import T5XModel
from unified_io.train import mesh as meshes
from unified_io.train import start
from unified_io.train.job import check_writable


def evaluate(
    *,
    model: T5XModel,
    dataset_cfg: DatasetConfig,
    restore_checkpoint_cfg: RestoreCheckpointConfig,
    output_dir: str,
    inference_evaluator_cls: Callable[..., Any],
    partitioner: PjitPartitioner = PjitPartitioner(),
) -> "EvaluateJob":
    """Returns the job that evaluates checkpoints.

    Args:
      model: The model; its `output` is what is compared.
      dataset_cfg: Which examples.
      restore_checkpoint_cfg: Which checkpoints.
      output_dir: Holds `inference_eval/` and `eval.<mixture>.ckpt`, the list of checkpoints that were evaluated.
      inference_evaluator_cls: seqio's Evaluator, with what gin binds to it.
      partitioner: The mesh.
    """
    model = dataclasses.replace(model, config=dataset_cfg.model(model.config))
    return EvaluateJob(
        model, dataset_cfg, restore_checkpoint_cfg, output_dir, inference_evaluator_cls, partitioner
    )


@dataclasses.dataclass(frozen=True)
class EvaluateJob:
    """Evaluates checkpoints; see `evaluate`."""

    model: T5XModel
    dataset: DatasetConfig
    restore: RestoreCheckpointConfig
    output_dir: str
    evaluator: Callable[..., Any]
    partitioner: PjitPartitioner

    def check(self) -> None:
        """Finds what can not work before anything is compiled.

        Raises:
          ConfigError: No task with this split, no such output, a folder that can not be written, no checkpoint, or a
            batch that does not divide over the devices.
          CheckpointError: There is no checkpoint in a folder of checkpoints.
        """
        check_writable(self.output_dir)
        self.model.config.target(self.model.output)
        self._predictor.check(meshes.shards(meshes.make_mesh(self.partitioner.mesh)))
        self.dataset.tasks(self.model.config)
        if not (paths := self.restore.paths) or not all(Path(path).is_dir() for path in paths):
            raise ConfigError(f"no checkpoint in {self.restore.path!r}; give --gin.CHECKPOINT_PATH=FOLDER")

    def evaluate(self) -> None:
        """Writes and prints the metrics; with mode "all", of checkpoints that the list does not name yet."""
        model_info.write(self.output_dir, parameter_shapes(self.model.config))
        mesh, metrics, first = (
            meshes.make_mesh(self.partitioner.mesh),
            self._metrics,
            jax.process_index() == 0,
        )
        done = self._list.read_text(encoding="utf-8").split() if self._list.is_file() else []
        for path in self.restore.paths:
            if self.restore.mode == "all" and path in done:
                print(f"{path} was evaluated before: {self._list} names it")
                continue
            params = self._predictor.read(path, self.restore.dtype, mesh)
            numbers = metrics(mesh, params, start.step_of(path) or 0)
            for name, value in sorted(numbers.items()):
                print(f"{Path(path).name}  {name:40} {value:.4f}")
            if first and path not in done:
                done.append(path)
                self._list.write_text("".join(f"{line}\n" for line in done), encoding="utf-8")

    @property
    def _list(self) -> Path:
        return Path(self.output_dir, f"eval.{self.dataset.mixture_or_task_name}.ckpt")

    @property
    def _metrics(self) -> TaskMetrics:
        return TaskMetrics(self.output_dir, self.model, self.dataset, self.evaluator)

    @property
    def _predictor(self) -> Predictor:
        return Predictor(self.model, self.dataset.batch_size)
