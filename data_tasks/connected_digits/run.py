"""A connected system from nothing: encoders, a language model of words alone, the system's stages, a report.

Every step leaves its result in its folder and is skipped when it is there, so the same command goes on. Encoders and
language model can be shared by several runs.
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import data_tasks.connected_digits.facts
import data_tasks.connected_digits.tasks  # noqa: F401  registers the tasks, as the line before
from data_tasks.connected_digits.stage import Stage
from data_tasks.digits.source import DigitsSource
from data_tasks.media_tokenizers import announce
from unified_io import api, checkpoint, pytree
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.convert import families, folders, growth
from unified_io.data.pipeline import bind, examples
from unified_io.errors import ConfigError
from unified_io.evaluation import stats
from unified_io.modalities.connected.parts import module_of
from unified_io.train.classifier_job import Classified, ClassifierJob, ClassifierNetwork
from unified_io.train.job import TrainJob, check_writable

REPORT = "report.json"
LANGUAGE = "language"
_AT_ONCE = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConnectedRun:
    """Trains one system on the digits.

    Attributes:
      model_dir: Holds a folder a stage, the whole under `model`, and the report.
      model: The system.
      encoders: Kind of medium -> how its encoder is trained, alone, before everything.
      language: How the language model is trained, on words alone; of it model, folder and frozen parts are filled in.
      stages: What follows.
      source: The digits.
      tested: Tasks that are asked in the end, of the test split.
      examples: How many questions of each.
      parts_dir: Where encoders and language model are kept; None keeps them with this run. A language model of another
        run learns new tokens of this one from the mean of all others.
    """

    model_dir: str
    model: ConnectedLMConfig
    encoders: Mapping[str, ClassifierJob]
    language: TrainJob
    stages: tuple[Stage, ...]
    source: DigitsSource = DigitsSource()
    tested: tuple[str, ...] = ()
    examples: int = 200
    parts_dir: str | None = None

    def __post_init__(self):
        for name in ("stages", "tested"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # gin hands lists over

    def check(self) -> None:
        """Finds what can not work before anything is trained.

        Raises:
          ConfigError: A stage follows one that does not come before it, or has no trained parameters; or as the jobs.
        """
        check_writable(self.model_dir)
        for kind in self.encoders:
            self.model.input(kind)
        for at, stage in enumerate(self.stages):
            before = [earlier.name for earlier in self.stages[:at]]
            if missing := sorted({*(stage.after or ())} - {*before}):
                raise ConfigError(
                    f"stage {stage.name!r} is after {', '.join(missing)}; before it there are {before}"
                )
            self._job(stage).check()

    def train(self) -> None:
        """Does all steps in order, each from where it stopped."""
        for kind, job in self.encoders.items():
            self._train_encoder(kind, job)
        self._train_language()
        for at, stage in enumerate(self.stages):
            begins = self._folder(stage.name) / "begins"
            if not families.holds_model(begins):
                names = [s.name for s in self.stages[:at]] if stage.after is None else list(stage.after)
                folders.save(begins, self.model, self._together(names))
            announce(stage.name, f"{stage.steps} steps on {stage.mixture}")
            self._job(stage).train()
        if not families.holds_model(self._whole):
            folders.save(self._whole, self.model, self._together([s.name for s in self.stages]))
        self.report()

    def evaluate(self) -> None:
        """As `report`."""
        self.report()

    def report(self) -> None:
        """Asks the tasks of the test split, prints the share of right answers and writes `report.json`."""
        model = api.UnifiedIO.from_pretrained(self._whole)
        found = {}
        for name in self.tested:
            asked = self._examples(name, "test", self.examples)
            answers = model.generate_fields(asked, "text", max_length=8)
            right = stats.score([a.strip() == x["text_targets"] for a, x in zip(answers, asked, strict=True)])
            low, high = right.interval
            print(f"{name:32} {100 * right.score:5.1f} %  [{100 * low:.1f}, {100 * high:.1f}]")
            found[name] = {"right": right.score, "interval": [low, high], "n": right.n}
        Path(self.model_dir, REPORT).write_text(json.dumps(found, indent=2) + "\n")

    @property
    def _whole(self) -> Path:
        return Path(self.model_dir, "model")

    @property
    def _parts(self) -> Path:
        return Path(self.parts_dir or self.model_dir, "parts")

    def _folder(self, stage: str) -> Path:
        return Path(self.model_dir, "stages", stage)

    @property
    def _digits(self) -> DigitsSource:
        return dataclasses.replace(self.source, data_dir=str(self._parts / "data"))

    def _examples(self, name: str, split: str, count: int) -> list[dict[str, Any]]:
        bound = bind(name, self.model.inputs, self.model.targets, source=self._digits)
        found = examples(bound, split)
        return [example for example, _ in zip(found, range(count), strict=False)]

    def _train_encoder(self, kind: str, job: ClassifierJob) -> None:
        folder, medium = self._parts / f"{kind}_encoder", self.model.input(kind)
        if Path(folder, PARAMS_FOLDER).is_dir():
            return
        task = f"digits_{kind}_to_text"
        bound = bind(task, self.model.inputs, self.model.targets, source=self._digits)
        drawn = examples(bound, "train", shuffle=True)
        count = job.batch_size * 60
        announce(f"{kind} encoder", f"{job.total_steps} steps on {count} media")
        values, labels = [], []
        for example, _ in zip(drawn, range(count), strict=False):
            values.append(medium.front.segments(example[medium.fields[0]])[0])
            labels.append(example["meta/labels"][:1])
        network = ClassifierNetwork(module_of(medium.encoder), (10,))
        job.train(network, Classified(np.stack(values), np.stack(labels)), folder)

    def _train_language(self) -> None:
        if families.holds_model(self._parts / LANGUAGE):
            return
        words = tuple(m for m in self.model.inputs if m.name == "text")
        backbone = dataclasses.replace(self.model.backbone, lora=None, adapters=None)
        model = dataclasses.replace(self.model, backbone=backbone, inputs=words)
        budgets = dataclasses.replace(
            self.language.budgets, inputs={"text": self.language.budgets.inputs["text"]}
        )
        announce("language model", f"{self.language.total_steps} steps on {self.language.mixture}")
        job = dataclasses.replace(
            self.language,
            model=model,
            budgets=budgets,
            model_dir=str(self._parts / LANGUAGE),
            optimizer=self.language.optimizer.over(self.language.total_steps),
        )
        job.train()

    def _job(self, stage: Stage) -> TrainJob:
        optimizer = dataclasses.replace(stage.optimizer, trained=stage.trained)
        begins = self._folder(stage.name) / "begins"
        return dataclasses.replace(
            self.language,
            model_dir=str(self._folder(stage.name)),
            model=stage.model or self.model,
            mixture=stage.mixture,
            source=self._digits,
            optimizer=optimizer.over(stage.steps),
            total_steps=stage.steps,
            frozen_storage=stage.storage,
            initial_params={"": str(begins)},
        )

    def _language(self) -> Any:
        """Parameters of the language model; tokens that it did not know, when it is of another run, are added."""
        loaded = folders.load(self._parts / LANGUAGE)
        mine, theirs = (config.target("text").vocabulary.added for config in (self.model, loaded.config))
        return growth.with_tokens(loaded.config, loaded.params, [t for t in mine if t not in theirs])[1]

    def _together(self, stages: list[str]) -> Any:
        """Parameters drawn at random, then those of the parts, then what each of the stages has trained."""
        found = pytree.named_leaves(folders.random_params(self.model, seed=self.language.seed))
        found |= pytree.named_leaves(self._language())
        for kind in self.encoders:
            name = f"shared_{self.model.input(kind).encoder_key}/"
            own, _ = checkpoint.load_params(self._parts / f"{kind}_encoder" / PARAMS_FOLDER)
            found |= {name + key: leaf for key, leaf in pytree.named_leaves(own).items()}
        for stage in self.stages:
            if stage.name in stages:
                trained = pytree.named_leaves(
                    folders.load(self._job(stage).export, config=stage.model).params
                )
                moved = re.compile("|".join(f"(?:{pattern})" for pattern in stage.trained))
                found |= {name: leaf for name, leaf in trained.items() if moved.search(name)}
        return pytree.nested(found)
