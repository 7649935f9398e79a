"""Digits Any-to-Any: one command from raw data to a report. Tokenizers, then the model, then the report.

Every stage leaves a result in its folder and is skipped when the result is there; a stage that was interrupted goes on
from its last checkpoint. So the same command always continues.
"""

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_tasks.digits import report
from data_tasks.digits.samples import draw_samples
from data_tasks.digits.source import DigitsSource
from data_tasks.digits.tokenizers import DigitsTokenizers
from data_tasks.media_tokenizers import announce, params_in
from unified_io import api
from unified_io.errors import CheckpointError, ConfigError, unknown
from unified_io.evaluation import environment
from unified_io.train.job import TrainJob, check_writable

RUN_FILE = "resources.json"


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much work the job does.

    Attributes:
      image_tokenizer_steps: Steps of the VQ-GAN.
      audio_tokenizer_steps: Steps of the ViT-VQGAN.
      model_steps: Steps of the model.
      test_examples: Test examples that are judged for every pair.
    """

    image_tokenizer_steps: int
    audio_tokenizer_steps: int
    model_steps: int
    test_examples: int


@dataclasses.dataclass(frozen=True)
class DigitsJob:
    """Trains tokenizers and model on the digits and writes the report.

    Attributes:
      training: How the model is trained; steps, source and tokenizers are filled in by the job.
      source: The digits.
      tokenizers: How the tokenizers are trained; their steps are filled in.
      budget: Which of the efforts to make.
      efforts: Efforts by name.
    """

    training: TrainJob
    source: DigitsSource
    tokenizers: DigitsTokenizers
    budget: str = "full"
    efforts: Mapping[str, Effort] = dataclasses.field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the whole job lives."""
        return Path(self.training.model_dir)

    @property
    def effort(self) -> Effort:
        """The effort the budget names."""
        if self.budget not in self.efforts:
            raise unknown("BUDGET", self.budget, self.efforts)
        return self.efforts[self.budget]

    @property
    def digits(self) -> DigitsSource:
        """The source, with what is expensive to make kept beside the run."""
        return dataclasses.replace(self.source, data_dir=str(self.folder / "data"))

    def check(self) -> None:
        """Finds what can not work before anything is compiled."""
        check_writable(self.folder)
        self.model_job().check()
        if self.source.speech_dir is not None and not Path(self.source.speech_dir).is_dir():
            raise ConfigError(
                f"DIGITS_SPEECH_DIR {self.source.speech_dir!r} is no folder; give one with "
                "{digit}_{speaker}_{index}.wav files, or leave it out to have espeak-ng speak"
            )
        self._check_same_run()

    def train(self) -> None:
        """Does all stages in order, each from where it stopped, and writes the report."""
        with _Meter(self.folder / RUN_FILE):
            job, effort = self.model_job(), self.effort
            steps = {"image": effort.image_tokenizer_steps, "audio": effort.audio_tokenizer_steps}
            self.tokenizers.lasting(steps).train(self.folder, self.digits, job.model)
            announce("model", f"{job.total_steps} steps on {job.mixture}")
            job.train(samples=draw_samples)
        if (self.folder / report.JSON_FILE).is_file():
            print(f"all done already; the report is {self.folder / report.HTML_FILE}")
        else:
            self.report()

    def evaluate(self) -> None:
        """Prints the losses of the trained model on the validation split."""
        self.model_job().evaluate()

    def report(self) -> None:
        """Judges the trained model on the test split and writes `report.html` and `report.json`.

        Raises:
          CheckpointError: There is no trained model yet.
        """
        if not self.model_job().export.is_dir():
            raise CheckpointError(f"no trained model in {str(self.folder)!r}; run unified-io train first")
        announce("report", "generating and judging test examples")
        with _Meter(self.folder / RUN_FILE) as meter:
            model = api.from_pretrained(self.folder)
            count, seed = self.effort.test_examples, self.training.seed
            made = report.Report(self.digits, model, self.folder, count, self.budget, seed)
            made.write(meter.total)
        print(f"report: {self.folder / report.HTML_FILE}")

    def model_job(self) -> TrainJob:
        """The stage that trains the model, with all that the others leave it."""
        return dataclasses.replace(
            self.training,
            total_steps=self.effort.model_steps,
            optimizer=self.training.optimizer.over(self.effort.model_steps),
            source=self.digits,
            initial_params=params_in(self.folder),
        )

    def _check_same_run(self) -> None:
        """A folder holds one run: another budget, seed, speech or pairing needs another folder."""
        mine: dict[str, Any] = {
            "budget": self.budget,
            "speech_dir": self.source.speech_dir,
            "shuffled_pairs": self.source.shuffled_pairs,
            "seed": self.training.seed,
        }
        path = self.folder / "run.json"
        if path.is_file():
            theirs = json.loads(path.read_text())
            if theirs != mine:
                raise ConfigError(
                    f"{str(self.folder)!r} holds a run with {theirs}, this one has {mine}; choose another --model_dir"
                )
        else:
            path.write_text(json.dumps(mine))


class _Meter:
    """Adds up wall time, CPU time and peak memory over all sessions of a run, interrupted ones included."""

    def __init__(self, path: Path):
        self._path = path
        self._before = json.loads(path.read_text()) if path.is_file() else {}
        self._wall, self._cpu = time.monotonic(), environment.resources()["cpu_seconds"]

    def __enter__(self) -> "_Meter":
        return self

    def __exit__(self, *_: object) -> None:
        self._path.write_text(json.dumps(self.total()))

    def total(self) -> dict[str, float]:
        """What the run has used so far."""
        now = environment.resources()
        return {
            "wall_seconds": self._before.get("wall_seconds", 0.0) + time.monotonic() - self._wall,
            "cpu_seconds": self._before.get("cpu_seconds", 0.0) + now["cpu_seconds"] - self._cpu,
            "peak_rss_bytes": max(self._before.get("peak_rss_bytes", 0), now["peak_rss_bytes"]),
        }
