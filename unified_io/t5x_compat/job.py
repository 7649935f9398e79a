"""A T5X user's training job on our own engine, on however many devices there are."""

import dataclasses

import jax

from unified_io.model import parameter_shapes
from unified_io.t5x_compat import model_info
from unified_io.t5x_compat.engine.configs import DatasetConfig
from unified_io.train import mesh as meshes
from unified_io.train.job import TrainJob


@dataclasses.dataclass(frozen=True)
class T5XJob:
    """Trains as T5X would; `engine.train` makes it.

    Attributes:
      training: The job with all of a batch on one device.
      dataset: Says how many examples a batch has, of all devices together.
    """

    training: TrainJob
    dataset: DatasetConfig

    def on(self, devices: int) -> TrainJob:
        """Returns the job with the batch split over so many devices.

        Raises:
          ConfigError: The batch, or the mesh, does not divide.
        """
        sizes = meshes.sizes(self.training.mesh, devices)
        parts = sizes["data"] * sizes["fsdp"] * self.training.microbatches
        return dataclasses.replace(self.training, budgets=self.dataset.budgets(self.training.model, parts))

    @property
    def job(self) -> TrainJob:
        """The job on the devices that are here."""
        return self.on(jax.device_count())

    def check(self) -> None:
        """Finds what can not work before anything is compiled; see `TrainJob.check`."""
        self.job.check()

    def train(self) -> None:
        """Writes `model-info.txt` and trains, or goes on training."""
        job = self.job
        model_info.write(job.model_dir, parameter_shapes(job.model))
        job.train()

    def evaluate(self) -> None:
        """Prints the losses of the trained model on the validation split."""
        self.job.evaluate()

    def report(self) -> None:
        """Says where the curves of this job are."""
        self.job.report()
