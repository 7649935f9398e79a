"""T5X's `train`: its arguments as a training job of ours."""

import dataclasses
from collections.abc import Callable
from typing import Any

from unified_io.errors import ConfigError
from unified_io.t5x_compat.engine.configs import CheckpointConfig, DatasetConfig
from unified_io.t5x_compat.engine.losses import TaskLosses
from unified_io.t5x_compat.engine.partitioning import PjitPartitioner
from unified_io.t5x_compat.engine.trainer import Trainer
from unified_io.t5x_compat.job import T5XJob
from unified_io.t5x_compat.model import T5XModel
from unified_io.train import start
from unified_io.train.job import Evaluation, TrainJob


def train(
    *,
    model: T5XModel,
    train_dataset_cfg: DatasetConfig,
    train_eval_dataset_cfg: DatasetConfig | None,
    model_dir: str,
    total_steps: int | None,
    eval_steps: int,
    eval_period: int,
    infer_eval_dataset_cfg: DatasetConfig | None = None,
    inference_evaluator_cls: Callable[..., Any] | None = None,
    checkpoint_cfg: CheckpointConfig = CheckpointConfig(),
    partitioner: PjitPartitioner = PjitPartitioner(),
    trainer_cls: Trainer = Trainer(),
    relative_steps: int | None = None,
    stats_period: int = 100,
    random_seed: int | None = None,
    use_hardware_rng: bool = False,
) -> T5XJob:
    """Returns the job that trains a model as T5X would.

    Args:
      model: The model, its optimizer and its z-loss.
      train_dataset_cfg: What it learns from.
      train_eval_dataset_cfg: Where its losses are computed, task by task; None for nowhere.
      model_dir: MODEL_DIR.
      total_steps: The number of the last step; the steps of the checkpoint it starts from count.
      eval_steps: Batches of an evaluation, of every task.
      eval_period: Steps between evaluations.
      infer_eval_dataset_cfg: Where the metrics of tasks that declare some are computed; None for nowhere.
      inference_evaluator_cls: seqio's Evaluator, with what gin binds to it.
      checkpoint_cfg: When to save, and what to start from.
      partitioner: The mesh.
      trainer_cls: How a step is made.
      relative_steps: Steps of this run alone, in place of `total_steps`.
      stats_period: Steps between reports.
      random_seed: Seeds everything; None is 0, since a run of ours can always be repeated.
      use_hardware_rng: Only False.

    Raises:
      ConfigError: Something that our engine does not do, no number of steps, or steps that are made already.
      CheckpointError: The checkpoint to start from is not there.
    """
    _refuse(model, train_dataset_cfg, use_hardware_rng, random_seed)
    assert model.optimizer is not None
    path = checkpoint_cfg.restore.only
    first = start.step_of(path) or 0 if path else 0
    save, config = checkpoint_cfg.save, train_dataset_cfg.model(model.config)
    job = TrainJob(
        model_dir=model_dir,
        model=config,
        mixture=train_dataset_cfg.mixture_or_task_name,
        budgets=train_dataset_cfg.budgets(config),
        optimizer=trainer_cls.learning_rate_fn.of(model.optimizer),
        total_steps=_last_step(path, first, total_steps, relative_steps),
        mesh=partitioner.mesh,
        microbatches=trainer_cls.num_microbatches or 1,
        seed=random_seed or 0,
        z_loss=model.z_loss,
        checkpoint_period=save.period,
        keep=save.keep or 1,
        keep_period=1 if save.keep is None else None,
        report_period=stats_period,
        eval_period=eval_period,
        eval_examples=eval_steps * (train_eval_dataset_cfg or train_dataset_cfg).batch_size,
        initial_params={"": path} if path else {},
        first_step=first,
        save_first=True,
    )
    evaluations: list[Evaluation] = []
    if train_eval_dataset_cfg is not None:
        limited = train_eval_dataset_cfg.model(model.config)
        evaluations.append(TaskLosses(model_dir, limited, train_eval_dataset_cfg, eval_steps, model.z_loss))
    if infer_eval_dataset_cfg is not None and inference_evaluator_cls is not None:
        from unified_io.t5x_compat.engine.metrics import TaskMetrics

        longer = dataclasses.replace(model, config=infer_eval_dataset_cfg.model(model.config))
        evaluations.append(TaskMetrics(model_dir, longer, infer_eval_dataset_cfg, inference_evaluator_cls))
    return T5XJob(dataclasses.replace(job, evaluations=tuple(evaluations)), train_dataset_cfg)


def _last_step(path: str | None, first: int, total: int | None, relative: int | None) -> int:
    if relative is not None:
        return first + relative
    if total is None:
        raise ConfigError("how many steps? give --gin.TRAIN_STEPS=N, or --gin.TRAIN_STEPS_RELATIVE=N")
    if total <= first:
        raise ConfigError(
            f"TRAIN_STEPS is {total} and {path} has {first} of them; TRAIN_STEPS counts the steps of the checkpoint "
            f"too, so give at least {first + 1}"
        )
    return total


def _refuse(model: T5XModel, dataset: DatasetConfig, use_hardware_rng: bool, seed: int | None) -> None:
    """Says what our engine does not do, rather than do something else."""
    wanted = {
        "SHUFFLE_TRAIN_EXAMPLES": (dataset.shuffle, True, "training data is always shuffled"),
        "USE_HARDWARE_RNG": (use_hardware_rng, False, "a run must be repeatable"),
        "LABEL_SMOOTHING": (model.label_smoothing, 0.0, "the loss is that of the right tokens"),
        "LOSS_NORMALIZING_FACTOR": (
            model.loss_normalizing_factor,
            None,
            "losses are means over the tokens of the whole batch, microbatches and all",
        ),
        "train/utils.DatasetConfig.split": (dataset.split, "train", "training reads this split"),
        "train/utils.DatasetConfig.seed": (dataset.seed, seed, "RANDOM_SEED seeds the data, too"),
    }
    for name, (value, only, why) in wanted.items():
        if value != only:
            raise ConfigError(f"{name} is {value}: {why}; give --gin.{name}={only}")
    if model.optimizer is None:
        raise ConfigError("OPTIMIZER has no value; a job file says OPTIMIZER = @optimizer.OptimizerConfig()")
