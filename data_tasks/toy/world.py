"""The toy world as a dataset that is never stored: every record is made of its split and its number."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from data_tasks.sources.stored import Record, Stored
from data_tasks.toy import splits
from data_tasks.toy.splits import SPLITS
from data_tasks.toy.views import VIEWS
from unified_io.errors import DataError, unknown

LENGTHS = dict.fromkeys(SPLITS, 500) | {"train": 20_000, "validation": 1_000, "test": 1_000}


@dataclasses.dataclass(frozen=True)
class ToyWorld(Stored):
    """Makes records of the toy world; the same number gives the same record, everywhere.

    Attributes:
      view: One of VIEWS.
      size: Height and width of pictures, pixels. What is shown does not depend on it.
      lengths: Records of every split.
    """

    view: str = "scene"
    size: int = 64
    lengths: Mapping[str, int] = dataclasses.field(default_factory=lambda: LENGTHS)

    def __post_init__(self):
        if self.view not in VIEWS:
            raise unknown("view of the toy world", self.view, VIEWS)

    def length(self, folder: Path, split: str) -> int:
        if split not in self.lengths:
            raise unknown("split of the toy world", split, self.lengths)
        return self.lengths[split]

    def record(self, folder: Path, split: str, index: int) -> Record:
        if not 0 <= index < self.length(folder, split):
            raise DataError(
                f"record {index} of {self.length(folder, split)} of split {split!r}; ask for less"
            )
        rng = splits.generator(split, index, self.view)
        return VIEWS[self.view](splits.split(split), rng, self.size)

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        raise DataError("the toy world is made, not stored; convert its records to keep them")

    def files(self, folder: Path, split: str) -> list[str]:
        return [f"{self.name}/{self.view}/{split}"]

    def present(self, folder: Path, split: str) -> bool:
        return True
