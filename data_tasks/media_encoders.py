"""Encoders of pictures and sounds, trained alone on labelled patches before the model; where a run keeps them."""

import dataclasses
import functools
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from data_tasks.media_tokenizers import announce, check_given
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.encoders.labels import Labelled, LabelledEncoder
from unified_io.modalities.media import MediaInput
from unified_io.model import UnifiedIOConfig
from unified_io.train.encoder_job import EncoderJob

_CHUNK = 32  # media that a process makes at a time

Label = Callable[[int, MediaInput], Labelled]


@dataclasses.dataclass(frozen=True)
class MediaEncoders:
    """How the encoders of a model's inputs are trained, as those of the released model were before it.

    Attributes:
      jobs: Input modality -> how its encoder is trained.
      labels: Input modality -> (number, the modality) -> one labelled medium; other processes get a copy of it.
      media: How many of them.
    """

    jobs: dict[str, EncoderJob] = dataclasses.field(default_factory=dict)
    labels: dict[str, Label] = dataclasses.field(default_factory=dict)
    media: int = 20_000

    def check(self) -> None:
        """Finds what can not work before anything is trained.

        Raises:
          ConfigError: A modality has no labels.
        """
        check_given("encoder", self.jobs, self.labels, "a function for it in labels")

    def train(self, folder: str | Path, model: UnifiedIOConfig) -> None:
        """Trains all of them, each from where it stopped; one that is there already is left alone.

        Args:
          folder: Holds a folder for each.
          model: Says what the encoders are like.

        Raises:
          ConfigError: A modality has no labels, or the model does not read it.
        """
        self.check()
        for name, job in self.jobs.items():
            if not Path(folder_of(name, folder), PARAMS_FOLDER).is_dir():
                media = model.input(name)
                announce(f"{name} encoder", f"making {self.media} labelled media")
                labelled = made(functools.partial(self.labels[name], media=media), self.media)
                network = LabelledEncoder(
                    media.encoder(model), media.grid, labelled.words.shape[-1], labelled.numbers.shape[-1]
                )
                job.train(network, labelled, folder_of(name, folder))

    def params_in(self, folder: str | Path) -> dict[str, str]:
        """Returns where a model finds the parameters of a run's encoders, by the prefix of their names in it."""
        return {f"shared_{name}_encoder/": str(folder_of(name, folder) / PARAMS_FOLDER) for name in self.jobs}


def folder_of(name: str, folder: str | Path) -> Path:
    """Returns where a run's encoder of a modality lives."""
    return Path(folder, f"{name}_encoder")


def made(label: Callable[[int], Labelled], count: int) -> Labelled:
    """Makes labelled media on all cores.

    Args:
      label: Number -> one of them.
      count: How many.
    """
    # Started afresh: a process that has threads must not be forked.
    with multiprocessing.get_context("spawn").Pool() as pool:
        numbers = pool.imap(functools.partial(_halved, label), range(count), chunksize=_CHUNK)
        return Labelled.stacked(list(tqdm(numbers, total=count, mininterval=2.0, file=sys.stderr)))


def _halved(label: Callable[[int], Labelled], number: int) -> Labelled:
    return label(number).halved
