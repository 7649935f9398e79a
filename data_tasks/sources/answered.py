"""Conversations as a dataset on disk: a file of dialogs a split, a record an answer. Knows no format of a chat."""

import dataclasses
import functools
from collections.abc import Iterable
from pathlib import Path

from data_tasks.sources import dialogs
from data_tasks.sources.stored import Record, Stored
from unified_io.dialog.turns import Dialog, rounds
from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True)
class Answered(Stored):
    """Records `{"dialog": …}` that end with an answer, from `<split>.jsonl`; see `sources.dialogs` for the file.

    Attributes:
      kinds: Kinds of media in the turns.
      system: What is said before dialogs that say nothing of their own.
    """

    kinds: tuple[str, ...] = ("image", "audio")
    system: str = ""

    def length(self, folder: Path, split: str) -> int:
        return len(self._answers(folder, split))

    def record(self, folder: Path, split: str, index: int) -> Record:
        answers = self._answers(folder, split)
        if not 0 <= index < len(answers):
            raise DataError(f"answer {index} of {len(answers)} in {self.files(folder, split)[0]}")
        return {"dialog": answers[index]}

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        dialogs.write(Path(self.files(folder, split)[0]), [record["dialog"] for record in records])

    def files(self, folder: Path, split: str) -> list[str]:
        return [str(folder / f"{split}.jsonl")]

    def _answers(self, folder: Path, split: str) -> tuple[Dialog, ...]:
        file = Path(self.files(folder, split)[0])
        changed = file.stat().st_mtime_ns if file.is_file() else 0
        return _read(file, changed, self.kinds, self.system)


@functools.lru_cache(maxsize=8)
def _read(file: Path, changed: int, kinds: tuple[str, ...], system: str) -> tuple[Dialog, ...]:
    return tuple(answer for dialog in dialogs.read(file, kinds, system) for answer in rounds(dialog))
