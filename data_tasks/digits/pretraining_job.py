"""Pre-training on the digits: tokenizers, then the model by the multimodal mixture of denoisers."""

import dataclasses
from pathlib import Path

from data_tasks.digits.source import DigitsSource
from data_tasks.digits.tokenizers import DigitsTokenizers
from data_tasks.media_tokenizers import announce, params_in
from unified_io.errors import ConfigError
from unified_io.train.job import TrainJob, check_writable


@dataclasses.dataclass(frozen=True)
class PretrainingJob:
    """Pre-trains a model on the digits; the same command goes on where an earlier one stopped.

    Attributes:
      training: How the model is trained; source and tokenizers are filled in by the job.
      source: The digits.
      tokenizers: How the tokenizers are trained.
      tokenizer_dir: Where they are kept with the digits' speech and strokes. Several runs may share it, those of
        `DigitsJob` too; they are trained only where they are missing. None keeps them with this run.
    """

    training: TrainJob
    source: DigitsSource
    tokenizers: DigitsTokenizers
    tokenizer_dir: str | None = None

    def check(self) -> None:
        """Finds what can not work before anything is compiled."""
        check_writable(self._kept)
        if self.training.objective is None:
            raise ConfigError(
                "pre-training needs an objective; include objective/denoisers.gin and set "
                "training.TrainJob.objective = %OBJECTIVE"
            )
        self.model_job().check()

    def train(self) -> None:
        """Does all stages in order, each from where it stopped."""
        job = self.model_job()
        self.tokenizers.train(self._kept, self._digits, job.model)
        announce("model", f"{job.total_steps} steps on {job.mixture}")
        job.train()
        self.report()

    def evaluate(self) -> None:
        """Prints the losses of the trained model on the validation split."""
        self.model_job().evaluate()

    def report(self) -> None:
        """Says where the curves are."""
        self.training.report()

    @property
    def _kept(self) -> Path:
        return Path(self.tokenizer_dir or self.training.model_dir)

    @property
    def _digits(self) -> DigitsSource:
        return dataclasses.replace(self.source, data_dir=str(self._kept / "data"))

    def model_job(self) -> TrainJob:
        """The stage that trains the model, with all that the others leave it."""
        return dataclasses.replace(self.training, source=self._digits, initial_params=params_in(self._kept))
