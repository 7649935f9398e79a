"""The ground of a drill: a temporary folder with a world, run files, compiled programs, and a run to compare with."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unified_io.reliability.drills import remains, run_file, tiny, world
from unified_io.reliability.drills.sessions import Session, Surroundings, command_line
from unified_io.reliability.drills.verdict import insist
from unified_io.train.job import TrainJob


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the tiny job, to be started as often as need be.

    Attributes:
      job: What it trains.
      file: Its gin file.
      cache: Folder of compiled programs.
    """

    job: TrainJob
    file: Path
    cache: Path

    @property
    def folder(self) -> Path:
        """Where it lives."""
        return Path(self.job.model_dir)

    @property
    def metrics(self) -> Path:
        """Its reports."""
        return self.folder / "train.jsonl"

    @property
    def log(self) -> Path:
        """What its sessions said."""
        return self.folder.with_suffix(".log")

    @property
    def command(self) -> list[str]:
        """What a user types behind `unified-io`."""
        return ["train", f"--gin_file={self.file}", f"--model_dir={self.folder}"]

    def start(self, flags: Sequence[str] = (), **around: Any) -> Session:
        """Starts a session, which goes on where the last one stopped; `around` as in `Surroundings`."""
        surroundings = Surroundings(**{"cache": self.cache, **around})
        return Session(command_line, [[*self.command, *flags]], self.log, surroundings)

    def saved(self) -> list[int]:
        """Steps with a checkpoint that can be seen, oldest first."""
        names = (path.name.partition("_")[2] for path in self.folder.glob("checkpoint_*"))
        return sorted(int(name) for name in names if name.isdigit())

    def saving(self) -> bool:
        """Whether a checkpoint is being written."""
        return any(self.folder.glob("checkpoint_*tmp*"))

    def remains(self) -> dict[str, str]:
        """What it left; see `remains.of`."""
        return remains.of(self.job)

    def same_as(self, other: dict[str, str], after: str) -> None:
        """Raises DrillFailed unless it left the same, to the byte."""
        said = remains.difference(other, self.remains())
        insist(said is None, f"{after} the run in {self.folder.name} is not the same: {said}")


@dataclasses.dataclass(frozen=True)
class Ground:
    """What all drills of one command share.

    Attributes:
      folder: A temporary folder.
      quick: Whether to repeat things less often.
    """

    folder: Path
    quick: bool = False

    def some(self, whole: int, quick: int) -> int:
        """How often to do a thing."""
        return quick if self.quick else whole

    @functools.cached_property
    def world(self) -> world.World:
        """The data, written once; a drill that spoils data writes its own."""
        return world.write(self.folder / "world")

    @property
    def cache(self) -> Path:
        """Folder of compiled programs."""
        return self.folder / "compiled"

    def run(self, name: str, **changes: Any) -> Run:
        """A run of the tiny job in a folder of its own; `changes` overrides fields of the job."""
        job = tiny.job(self.folder / name, **{"world": self.world, "quick": self.quick, **changes})
        file = self.folder / f"{name}.gin"
        file.write_text(run_file.as_gin(job), encoding="utf-8")
        return Run(job, file, self.cache)

    def foresee(self) -> None:
        """Starts the run that nobody disturbs, so that it is done when the first drill asks for it."""
        _ = self._undisturbed

    @property
    def straight(self) -> Run:
        """A run that nobody disturbed, finished."""
        run, session = self._undisturbed
        session.succeed()
        return run

    @functools.cached_property
    def reference(self) -> dict[str, str]:
        """What it left."""
        return self.straight.remains()

    @functools.cached_property
    def _undisturbed(self) -> tuple[Run, Session]:
        run = self.run("straight")
        return run, run.start()
