"""A T5X user's job on our own engine: T5X's macros, bound to a training job by `gin_configs/t5x/engine`."""

import dataclasses
import re
from pathlib import Path

from unified_io.errors import ConfigError
from unified_io.model import parameter_shapes
from unified_io.t5x_compat import model_info
from unified_io.train.job import TrainJob

_STEP = re.compile(r"checkpoint_(\d+)/?$")


@dataclasses.dataclass(frozen=True)
class T5XJob:
    """Trains as T5X would, by what its macros mean.

    Attributes:
      training: The job; steps, seed, start and evaluation are filled in.
      batch_size: BATCH_SIZE, examples of a step; the run file gives the budgets as many rows.
      initial_checkpoint_path: INITIAL_CHECKPOINT_PATH, a checkpoint of T5X's or ours. The steps in its name,
        `checkpoint_<step>`, are taken off TRAIN_STEPS, which counts them too.
      eval_steps: EVAL_STEPS, batches of an evaluation.
      random_seed: RANDOM_SEED; None is 0, since a run of ours can always be repeated.
      use_cached_tasks: USE_CACHED_TASKS; only False.
      shuffle_train_examples: SHUFFLE_TRAIN_EXAMPLES; only True.
      use_hardware_rng: USE_HARDWARE_RNG; only False.
    """

    training: TrainJob
    batch_size: int
    initial_checkpoint_path: str | None = None
    eval_steps: int = 20
    random_seed: int | None = None
    use_cached_tasks: bool = False
    shuffle_train_examples: bool = True
    use_hardware_rng: bool = False

    @property
    def job(self) -> TrainJob:
        """The job that is run.

        Raises:
          ConfigError: The checkpoint to start from has as many steps as there are in all.
        """
        path = (self.initial_checkpoint_path or "").rstrip("/")
        before = int(match[1]) if (match := _STEP.search(path)) else 0
        steps = self.training.total_steps - before
        if steps < 1:
            raise ConfigError(
                f"TRAIN_STEPS is {self.training.total_steps} and {path} has {before} of them; TRAIN_STEPS counts the "
                f"steps of the checkpoint too, so give at least {before + 1}"
            )
        return dataclasses.replace(
            self.training,
            total_steps=steps,
            seed=self.random_seed or 0,
            eval_examples=self.eval_steps * self.batch_size,
            initial_params={"": path} if path else self.training.initial_params,
        )

    def check(self) -> None:
        """Finds what can not work before anything is compiled.

        Raises:
          ConfigError: A macro asks for what our engine does not do, or the job can not run.
        """
        refused = {
            "USE_CACHED_TASKS": (self.use_cached_tasks, False, "examples are preprocessed as they are read"),
            "SHUFFLE_TRAIN_EXAMPLES": (self.shuffle_train_examples, True, "training data is always shuffled"),
            "USE_HARDWARE_RNG": (self.use_hardware_rng, False, "a run must be repeatable"),
        }
        for macro, (value, only, why) in refused.items():
            if value != only:
                raise ConfigError(f"{macro} is {value}: {why}; give --gin.{macro}={only}")
        self.job.check()

    def train(self) -> None:
        """Writes `model-info.txt` and trains, or goes on training."""
        job = self.job
        model_info.write(Path(job.model_dir), parameter_shapes(job.model))
        job.train()

    def evaluate(self) -> None:
        """Prints the losses of the trained model on the validation split."""
        self.job.evaluate()

    def report(self) -> None:
        """Says where the curves of this job are."""
        self.job.report()
