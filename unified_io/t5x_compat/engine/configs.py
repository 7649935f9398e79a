"""What T5X's users know as `utils`: which data, which checkpoint to start from, when to save, how fast to learn."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from unified_io.data import proposals
from unified_io.data.budgets import Budgets
from unified_io.errors import CheckpointError, ConfigError, unknown
from unified_io.model import UnifiedIOConfig
from unified_io.t5x_compat.engine.trainer import LearningRate
from unified_io.t5x_compat.lengths import limited
from unified_io.train import start

MODES = ("specific", "latest", "all")


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
    """Which examples, and how many at a time.

    Attributes:
      mixture_or_task_name: A registered task or mixture.
      task_feature_lengths: See `lengths.limited`; None leaves the lengths of the model.
      split: A split of its sources.
      batch_size: Examples of a batch, of all devices and microbatches together; with `pack` rows.
      shuffle: Whether to shuffle.
      seed: Seeds whatever the tasks draw; None is that of the run.
      use_cached: Only False: examples are preprocessed as they are read.
      pack: Several examples share a row, as long as one of the longest examples.
      module: Only None: a job file imports the modules of its tasks.

    Raises:
      ConfigError: A module is named, or cached tasks are wanted.
    """

    mixture_or_task_name: str
    task_feature_lengths: Mapping[str, Any] | None = None
    split: str = "train"
    batch_size: int = 128
    shuffle: bool = False
    seed: int | None = None
    use_cached: bool = False
    pack: bool = False
    module: str | None = None

    def __post_init__(self):
        if self.use_cached:
            raise ConfigError(
                "USE_CACHED_TASKS is True: examples are preprocessed as they are read; give "
                "--gin.USE_CACHED_TASKS=False"
            )
        if self.module is not None:
            package, _, name = self.module.rpartition(".")
            line = f"from {package} import {name}" if package else f"import {name}"
            raise ConfigError(
                f"MIXTURE_OR_TASK_MODULE is {self.module}; give a line in the job file in its place: {line}"
            )

    def model(self, config: UnifiedIOConfig) -> UnifiedIOConfig:
        """Returns the model with these lengths."""
        return limited(config, self.task_feature_lengths)

    def tasks(self, config: UnifiedIOConfig) -> dict[str, str]:
        """Returns the tasks that have the split: names of their registered copies, by those of the declared ones.

        Raises:
          ConfigError: There is no such mixture, none of its tasks has the split, or one can not be bound to the model.
        """
        from unified_io.data import mixture, pipeline
        from unified_io.t5x_compat.tasks import registered

        bound = pipeline.bind(self.mixture_or_task_name, config.inputs, config.targets)
        return {name: registered(name, config) for name in mixture.tasks_of(bound, self.split)}

    def budgets(self, config: UnifiedIOConfig, parts: int = 1) -> Budgets:
        """Returns the shape of one of several parts of a batch.

        Args:
          config: From `model`.
          parts: Shards of the mesh, times microbatches.

        Raises:
          ConfigError: The batch does not divide.
        """
        if self.batch_size < 1 or self.batch_size % parts:
            raise ConfigError(
                f"BATCH_SIZE is {self.batch_size}, and a batch has {parts} parts, one a device and microbatch; give a "
                f"multiple of {parts}"
            )
        shape = proposals.padded(config, self.batch_size // parts)
        return dataclasses.replace(shape, examples_per_row=None) if self.pack else shape


def create_learning_rate_scheduler(
    factors: str | None = None, base_learning_rate: float | None = None, warmup_steps: int | None = None
) -> LearningRate:
    """Returns what is different from the schedule of the job's optimizer; see `LearningRate`."""
    return LearningRate(factors, base_learning_rate, warmup_steps)


@dataclasses.dataclass(frozen=True)
class SaveCheckpointConfig:
    """When to save, and what stays.

    Attributes:
      period: Steps between checkpoints.
      keep: The newest so many stay; None keeps all of them.
      dtype: Only float32: a run goes on from its checkpoints to the bit.
      save_dataset: Only True: so it does in its data.

    Raises:
      ConfigError: Another dtype, or no data.
    """

    period: int = 1000
    keep: int | None = None
    dtype: str = "float32"
    save_dataset: bool = True

    def __post_init__(self):
        if not self.save_dataset:
            raise ConfigError(
                "SaveCheckpointConfig.save_dataset is False: a run goes on in its data; give True"
            )
        if self.dtype != "float32":
            raise ConfigError(
                f"SaveCheckpointConfig.dtype is {self.dtype}: a run that goes on from rounded parameters is another "
                "run; leave it at float32, and round where they are read: RestoreCheckpointConfig.dtype"
            )


@dataclasses.dataclass(frozen=True)
class RestoreCheckpointConfig:
    """Which checkpoint to read: ours or T5X's, or a saved model.

    Attributes:
      path: A checkpoint, or a folder of checkpoints; None for none.
      mode: "specific" is the checkpoint at `path`, "latest" the newest in it, "all" all in it, oldest first.
      dtype: Of the parameters once they are read: float32 or bfloat16.

    Raises:
      ConfigError: Another mode or dtype.
    """

    path: str | None = None
    mode: str = "specific"
    dtype: str = "float32"

    def __post_init__(self):
        if self.mode not in MODES:
            raise unknown("RestoreCheckpointConfig.mode", self.mode, MODES)
        if self.dtype not in ("float32", "bfloat16"):
            raise unknown("RestoreCheckpointConfig.dtype", self.dtype, ("float32", "bfloat16"))

    @property
    def paths(self) -> list[str]:
        """The checkpoints to read, oldest first; whether one that is named is there shows when it is read.

        Raises:
          CheckpointError: A folder has none.
        """
        if self.path is None:
            return []
        if self.mode == "specific":
            return [self.path.rstrip("/")]
        found = [str(path) for path in start.checkpoints_in(self.path).values()]
        if not found:
            raise CheckpointError(f"{self.path!r} has no checkpoint_<step>; give the MODEL_DIR of a run")
        return found[-1:] if self.mode == "latest" else found

    @property
    def only(self) -> str | None:
        """The one checkpoint to read; None for none.

        Raises:
          ConfigError: There are several.
        """
        if self.mode == "all":
            raise ConfigError(
                "one checkpoint is read; give RestoreCheckpointConfig.mode='specific' or 'latest'"
            )
        return next(iter(self.paths), None)


@dataclasses.dataclass(frozen=True)
class CheckpointConfig:
    """What to save, and what to start from where MODEL_DIR has no checkpoint yet."""

    save: SaveCheckpointConfig = SaveCheckpointConfig()
    restore: RestoreCheckpointConfig = RestoreCheckpointConfig()
