"""Digits Any-to-Any: one command from raw data to a report. Tokenizers, then the model, then the report.

Every stage leaves a result in its folder and is skipped when the result is there; a stage that was interrupted goes on
from its last checkpoint. So the same command always continues.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_tasks.digits import report
from data_tasks.digits.samples import draw_samples
from data_tasks.digits.source import DigitsSource
from unified_io import api
from unified_io.errors import CheckpointError, ConfigError, unknown
from unified_io.evaluation import environment
from unified_io.train.job import TrainJob, check_writable
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.tokenizer_job import TokenizerJob

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
      training: How the model is trained; folder, steps, source and tokenizers are filled in by the job.
      source: The digits.
      image_tokenizer: How the image tokenizer is trained.
      audio_tokenizer: How the audio tokenizer is trained.
      budget: Which of the efforts to make.
      efforts: Efforts by name.
      pictures: How many pictures the image tokenizer learns from.
    """

    training: TrainJob
    source: DigitsSource
    image_tokenizer: TokenizerJob
    audio_tokenizer: TokenizerJob
    budget: str = "full"
    efforts: Mapping[str, Effort] = dataclasses.field(default_factory=dict)
    pictures: int = 6000

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
        self._model_job().check()
        if self.source.speech_dir is not None and not Path(self.source.speech_dir).is_dir():
            raise ConfigError(
                f"DIGITS_SPEECH_DIR {self.source.speech_dir!r} is no folder; give one with "
                "{digit}_{speaker}_{index}.wav files, or leave it out to have espeak-ng speak"
            )
        self._check_same_run()

    def train(self) -> None:
        """Does all stages in order, each from where it stopped, and writes the report."""
        with _Meter(self.folder / RUN_FILE):
            self._announce("data", "digits, strokes and speech")
            stock = self.digits.stock("train")
            stock.load(("points", "audio"))
            job = self._model_job()
            self._announce("image tokenizer", "VQ-GAN")
            target = job.model.target("image")
            self._tokenizer("image").train(
                target.tokenizer(), self._pictures(), self._tokenizer_folder("image")
            )
            self._announce("audio tokenizer", "ViT-VQGAN")
            target = job.model.target("audio")
            sounds = np.stack([target.pixels(clip)[0] for clip in stock.clips.mels])
            self._tokenizer("audio").train(target.tokenizer(), sounds, self._tokenizer_folder("audio"))
            self._announce("model", f"{job.total_steps} steps on {job.mixture}")
            job.train(samples=draw_samples)
        if (self.folder / report.JSON_FILE).is_file():
            print(f"all done already; the report is {self.folder / report.HTML_FILE}")
        else:
            self.report()

    def evaluate(self) -> None:
        """Prints the losses of the trained model on the validation split."""
        self._model_job().evaluate()

    def report(self) -> None:
        """Judges the trained model on the test split and writes `report.html` and `report.json`.

        Raises:
          CheckpointError: There is no trained model yet.
        """
        if not self._model_job().export.is_dir():
            raise CheckpointError(f"no trained model in {str(self.folder)!r}; run unified-io train first")
        self._announce("report", "generating and judging test examples")
        with _Meter(self.folder / RUN_FILE) as meter:
            model = api.from_pretrained(self.folder)
            count, seed = self.effort.test_examples, self.training.seed
            made = report.Report(self.digits, model, self.folder, count, self.budget, seed)
            made.write(meter.total)
        print(f"report: {self.folder / report.HTML_FILE}")

    def _model_job(self) -> TrainJob:
        return dataclasses.replace(
            self.training,
            total_steps=self.effort.model_steps,
            optimizer=_fit(self.training.optimizer, self.effort.model_steps),
            source=self.digits,
            initial_params={
                f"target_embedders_{name}/tokenizer/": str(self._tokenizer_folder(name) / "params")
                for name in ("image", "audio")
            },
        )

    def _tokenizer(self, name: str) -> TokenizerJob:
        job: TokenizerJob = getattr(self, f"{name}_tokenizer")
        steps = getattr(self.effort, f"{name}_tokenizer_steps")
        return dataclasses.replace(job, total_steps=steps, optimizer=_fit(job.optimizer, steps))

    def _tokenizer_folder(self, name: str) -> Path:
        return self.folder / f"{name}_tokenizer"

    def _pictures(self) -> np.ndarray:
        """What the image tokenizer learns to draw: digits, canvases of two, and masks of one of them."""
        stock, target = self.digits.stock("train"), self.training.model.target("image")
        rng = np.random.default_rng(self.training.seed)
        draw = lambda count: rng.integers(len(stock), size=count)  # noqa: E731
        singles = stock.singles(draw(self.pictures * 3 // 4), ("image_target",), rng)["image_target"]
        masks = stock.scenes(draw(self.pictures // 4), ("masks",), rng)["masks"][:, 0]
        return np.stack([target.pixels(picture)[0] for picture in np.concatenate([singles, masks])])

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

    def _announce(self, stage: str, what: str) -> None:
        print(f"[{stage}] {what}", file=sys.stderr, flush=True)


def _fit(optimizer: OptimizerConfig, steps: int) -> OptimizerConfig:
    """Ends the schedule at the last step; a short run warms up for at most a tenth of it."""
    rate = optimizer.learning_rate
    rate = dataclasses.replace(rate, decay_steps=steps, warmup_steps=min(rate.warmup_steps, steps // 10))
    return dataclasses.replace(optimizer, learning_rate=rate)


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
