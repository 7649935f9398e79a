"""Several records of a dataset in a row as one, for what is made of more than one. Knows no dataset."""

import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path

from data_tasks.sources.stored import Record, Stored


@dataclasses.dataclass(frozen=True)
class Grouped(Stored):
    """Records `{"members": [...]}` of as many records of another dataset; what is left over at its end is left out.

    Attributes:
      of: The dataset, whose folder this one shares; its records are found by their number.
      count: Members of a group.
    """

    of: Stored
    count: int

    def length(self, folder: Path, split: str) -> int | None:
        length = self.of.length(folder, split)
        return None if length is None else length // self.count

    def record(self, folder: Path, split: str, index: int) -> Record:
        places = range(index * self.count, (index + 1) * self.count)
        return {"members": [self.of.record(folder, split, place) for place in places]}

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        members = itertools.chain.from_iterable(record["members"] for record in records)
        self.of.write(folder, split, members)

    def files(self, folder: Path, split: str) -> list[str]:
        return self.of.files(folder, split)
