"""Lists of video clips: a table of path, start, end and whatever is said about them, with the files beside it.

A record is a row, its seconds as numbers; `mapping.Frames` and `mapping.Soundtrack` open the file.
"""

import dataclasses
from pathlib import Path

from data_tasks.sources.lines import Lines
from data_tasks.sources.shards import Stamp
from data_tasks.sources.stored import Record
from unified_io.errors import DataError

_SECONDS = ("start", "end")


@dataclasses.dataclass(frozen=True)
class VideoList(Lines):
    """One clip a row, with the columns path and, where it is a part of the file, start and end in seconds.

    Attributes:
      pattern: The table of a split below the dataset's folder, {split} in it; .csv, .tsv or .jsonl.
    """

    pattern: str = "{split}.csv"

    def read(self, path: Path, stamp: Stamp, index: int) -> Record:
        record = super().read(path, stamp, index)
        if not isinstance(record.get("path"), str) or not record["path"]:
            raise DataError(f"row {index + 1} of {path} names no file; want a column path")
        for key in _SECONDS:
            if key not in record:
                continue
            try:
                record[key] = None if record[key] in ("", None) else float(record[key])
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"row {index + 1} of {path}: {key} is {record[key]!r}, wanted seconds"
                ) from error
        return record
