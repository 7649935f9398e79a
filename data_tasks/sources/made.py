"""Datasets that a function makes: any record of any split by its number, always the same."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from data_tasks.sources.stored import Record, Stored
from unified_io.errors import ConfigError, DataError, unknown


@dataclasses.dataclass(frozen=True)
class Made(Stored):
    """Records from a function; nothing lies on a disk.

    Attributes:
      function: Takes a split and a number; the same ones give the same record.
      lengths: Split -> how many records it has.
    """

    function: Callable[[str, int], Record]
    lengths: Mapping[str, int]

    def length(self, folder: Path, split: str) -> int:
        if split not in self.lengths:
            raise unknown(f"split of {self.name}", split, self.lengths)
        return self.lengths[split]

    def record(self, folder: Path, split: str, index: int) -> Record:
        if not 0 <= index < self.length(folder, split):
            raise DataError(f"record {index} of {self.lengths[split]} of {self.name} {split}")
        return self.function(split, index)

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        """Refuses: there is nothing to write.

        Raises:
          ConfigError: Always.
        """
        raise ConfigError(f"{self.name} is made by a function; to store it, write its records as Records")

    def files(self, folder: Path, split: str) -> list[str]:
        return [f"{self.name}-{split}"]

    def present(self, folder: Path, split: str) -> bool:
        return True
