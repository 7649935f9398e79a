"""A run of any mixture in stages: its tokenizers, its encoders, the shape of its batches, then the model."""

import dataclasses
from pathlib import Path
from typing import Any

from data_tasks.media_encoders import MediaEncoders
from data_tasks.media_tokenizers import MediaTokenizers, announce, params_in
from unified_io.data import statistics
from unified_io.data.proposals import padded, propose
from unified_io.train.job import TrainJob, check_writable

_MEASURED = 1500  # examples that say how long examples are


@dataclasses.dataclass(frozen=True)
class StagedJob:
    """Trains a model on a mixture from nothing; the same command goes on where an earlier one stopped.

    Attributes:
      training: How the model is trained; tokenizers are filled in by the job.
      tokenizers: How they are trained.
      encoders: How encoders are trained before the model; those without a job learn with it.
      tokenizer_dir: Where tokenizers and encoders are kept; several runs may share them. None keeps them with this run.
      room: Tokens of all rows of a batch together: the job measures the mixture and shapes its batches. None takes the
        budgets of `training` as they are.
    """

    training: TrainJob
    tokenizers: MediaTokenizers
    encoders: MediaEncoders = MediaEncoders()
    tokenizer_dir: str | None = None
    room: int | None = None

    def check(self) -> None:
        """Finds what can not work before anything is compiled."""
        check_writable(self._kept)
        self.tokenizers.check()
        self.encoders.check()
        self._prepared().check()

    def train(self) -> None:
        """Does all stages in order, each from where it stopped."""
        training = self._prepared()
        self.tokenizers.train(self._kept, training.model, training.source)
        self.encoders.train(self._kept, training.model)
        if self.room is not None:
            announce("data", f"measuring {_MEASURED} examples of {training.mixture}")
            training = dataclasses.replace(training, budgets=self._budgets(training))
        announce("model", f"{training.total_steps} steps on {training.mixture}, rows of {training.budgets}")
        training.train()
        self.report()

    def evaluate(self) -> None:
        """Prints the losses of the trained model on the validation split."""
        self._prepared().evaluate()

    def report(self) -> None:
        """Says where the curves are."""
        self.training.report()

    @property
    def _kept(self) -> Path:
        return Path(self.tokenizer_dir or self.training.model_dir)

    def _prepared(self) -> TrainJob:
        """The stage that trains the model, with all that the others leave it."""
        job, names = self.training, tuple(self.tokenizers.jobs)
        initial = params_in(self._kept, names) | self.encoders.params_in(self._kept)
        return dataclasses.replace(job, optimizer=job.optimizer.over(job.total_steps), initial_params=initial)

    def _budgets(self, job: TrainJob) -> Any:
        """A shape for the mixture: the same for the same data, whenever the run goes on."""
        inputs, targets = job.model.inputs, job.model.targets
        lengths = statistics.draw(
            job.bind(), inputs, targets, padded(job.model, 1), _MEASURED, seed=job.seed
        ).lengths
        return propose(lengths, inputs, targets, self.room, job.lookahead)
