"""Tokenizers of pictures and sounds, trained on what a mixture asks a model to draw and say; where a run keeps them."""

import dataclasses
import sys
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.data import pipeline
from unified_io.errors import ConfigError, DataError
from unified_io.model import UnifiedIOConfig
from unified_io.train.tokenizer_job import TokenizerJob

_MOST_TRIED = 4  # examples read for every one that is wanted, before a mixture is said to hold too few


@dataclasses.dataclass(frozen=True)
class MediaTokenizers:
    """How the tokenizers of a model's targets are trained.

    Attributes:
      jobs: Target modality -> how its tokenizer is trained.
      mixtures: Target modality -> the tasks whose targets it learns from.
      media: How many of them.
    """

    jobs: dict[str, TokenizerJob]
    mixtures: dict[str, str]
    media: int = 4000

    def check(self) -> None:
        """Finds what can not work before anything is trained.

        Raises:
          ConfigError: A modality has no mixture.
        """
        check_given("tokenizer", self.jobs, self.mixtures, "a mixture for it in mixtures")

    def train(self, folder: str | Path, model: UnifiedIOConfig, source: Any) -> None:
        """Trains all of them, each from where it stopped; one that is there already is left alone.

        Args:
          folder: Holds a folder for each.
          model: Says what the tokenizers are like.
          source: What the mixtures are read from; see `pipeline.bind`.

        Raises:
          ConfigError: A modality has no mixture.
          DataError: A mixture holds too few targets.
        """
        self.check()
        for name, job in self.jobs.items():
            if not Path(folder_of(name, folder), PARAMS_FOLDER).is_dir():
                announce(f"{name} tokenizer", f"drawing {self.media} targets of {self.mixtures[name]}")
                job.train(
                    model.target(name).tokenizer(), self._drawn(name, model, source), folder_of(name, folder)
                )

    def _drawn(self, name: str, model: UnifiedIOConfig, source: Any) -> np.ndarray:
        target = model.target(name)
        bound = pipeline.bind(self.mixtures[name], model.inputs, model.targets, source=source)
        rows = pipeline.examples(bound, "train", seed=self.jobs[name].seed, shuffle=True, repeat=True)
        media: list[np.ndarray] = []
        for _ in range(_MOST_TRIED * self.media):
            try:
                field = next(rows)[target.fields[0]]
            except DataError:
                continue
            if np.size(field):
                media.append(target.pixels(field)[0])
            if len(media) == self.media:
                return np.stack(media)
        raise DataError(
            f"{self.mixtures[name]} gave {len(media)} targets of {name} in {_MOST_TRIED * self.media} examples; "
            f"name a mixture with more of them, or want fewer than {self.media}"
        )


def folder_of(name: str, folder: str | Path) -> Path:
    """Returns where a run's tokenizer of a modality lives."""
    return Path(folder, f"{name}_tokenizer")


def params_in(folder: str | Path, names: tuple[str, ...] = ("image", "audio")) -> dict[str, str]:
    """Returns where a model finds the parameters of a run's tokenizers, by the prefix of their names in it."""
    return {
        f"target_embedders_{name}/tokenizer/": str(folder_of(name, folder) / PARAMS_FOLDER) for name in names
    }


def check_given(part: str, jobs: Iterable[str], given: Container[str], wanted: str) -> None:
    """Finds a modality whose tokenizer or encoder would have nothing to learn from.

    Raises:
      ConfigError: There is one.
    """
    for name in jobs:
        if name not in given:
            raise ConfigError(f"the {part} of {name} learns from nothing; name {wanted}")


def announce(stage: str, what: str) -> None:
    """Says on the terminal which stage of a job begins."""
    print(f"[{stage}] {what}", file=sys.stderr, flush=True)
