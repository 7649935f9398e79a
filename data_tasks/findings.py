"""What is wrong with the records of a file, as a table and as JSON."""

import dataclasses
from typing import Any, NamedTuple

from unified_io.reliability.table import table


class Wrong(NamedTuple):
    """One thing that is wrong; a record or field of "" is all of it."""

    file: str
    record: str
    field: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Findings:
    """What became of the records of a file."""

    records: int
    errors: tuple[Wrong, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns it as JSON values."""
        return {"records": self.records, "errors": [error._asdict() for error in self.errors]}

    def as_text(self, most: int = 50) -> str:
        """Returns a line an error, `most` of them."""
        if not self.errors:
            return f"{self.records} records, all of them right"
        lines = [Wrong._fields, *self.errors[:most]]
        more = len(self.errors) - most
        wrong = len({(error.file, error.record) for error in self.errors})
        last = f"{wrong} of {self.records} records are wrong" + (f"; {more} more errors" if more > 0 else "")
        return f"{table(lines)}\n{last}"
