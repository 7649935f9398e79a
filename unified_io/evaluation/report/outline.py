"""The order of a report: sections, the matrix of results on top, and facts about the run."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from unified_io.errors import DataError
from unified_io.evaluation.report.exhibits import Chart, Gallery, Table
from unified_io.evaluation.report.results import Result, ScoreTable
from unified_io.evaluation.stats import normalised

RESERVED = (
    "title",
    "summary",
    "overall",
    "verdicts",
    "charts",
    "tables",
    "galleries",
)  # keys of the JSON file

Part = ScoreTable | Chart | Table | Gallery


@dataclasses.dataclass(frozen=True, eq=False)
class Section:
    """A heading with text (blank lines part paragraphs), then parts in their order, then smaller sections."""

    title: str
    text: str = ""
    parts: tuple[Part, ...] = ()
    sections: "tuple[Section, ...]" = ()

    def all_parts(self) -> Iterator[Part]:
        """Yields the parts of this section and of those in it."""
        yield from self.parts
        for section in self.sections:
            yield from section.all_parts()


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Every result of a row (what goes in) and a column (what comes out), looked up as "row->column"."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    results: tuple[Result, ...]
    note: str = ""

    def __post_init__(self):
        cells = {f"{row}->{column}" for row in self.rows for column in self.columns}
        if strange := [result.name for result in self.results if result.name not in cells]:
            raise DataError(
                f"matrix {self.title!r} has no cell for {', '.join(strange)}; names are row->column"
            )

    def at(self, row: str, column: str) -> Result | None:
        """Returns the result of one cell, or None."""
        return next((result for result in self.results if result.name == f"{row}->{column}"), None)


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """Everything a reader is told about one run.

    Attributes:
      title: Heading of the page.
      summary: What was done, in words; blank lines part paragraphs.
      sections: The body.
      matrix: Overview of the main results.
      facts: Numbers, words, lists and mappings about the run. They become top-level keys of the JSON file and
        the last section of the page; names in `_seconds` and `_bytes` are shown as times and sizes.

    Raises:
      DataError: Two different results share a key and a name, a fact has the name of a score table, or a result of
        the matrix is in no score table.
    """

    title: str
    summary: str
    sections: tuple[Section, ...]
    matrix: Matrix | None = None
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if clash := sorted({*self.scores(), *RESERVED} & set(self.facts)):
            raise DataError(f"facts {', '.join(clash)} would overwrite scores of the same name; rename them")
        listed = self.results()
        if (
            loose := [result.name for result in self.matrix.results if result not in listed]
            if self.matrix
            else []
        ):
            raise DataError(f"matrix shows {', '.join(loose)}, which no score table lists; add them to one")

    def all_parts(self) -> Iterator[Part]:
        """Yields every part of every section, in reading order."""
        for section in self.sections:
            yield from section.all_parts()

    def scores(self) -> dict[str, dict[str, Result]]:
        """Returns every result by the key of its table and its name."""
        found: dict[str, dict[str, Result]] = {}
        for part in self.all_parts():
            if isinstance(part, ScoreTable):
                if part.key in RESERVED:
                    raise DataError(
                        f"score table {part.title!r} has the key {part.key!r}, which the report uses itself"
                    )
                group = found.setdefault(part.key, {})
                for result in part.results:
                    if group.setdefault(result.name, result) != result:
                        raise DataError(f"{part.key} holds two different results named {result.name!r}")
        return found

    def results(self) -> list[Result]:
        """Returns every result of every score table once."""
        return [result for group in self.scores().values() for result in group.values()]

    def normalised_mean(self) -> float | None:
        """Returns the mean of (score - chance) / (ceiling - chance) over the matrix, or None if neither is known."""
        shares = [
            normalised(result.score.score, result.chance, result.ceiling)
            for result in (self.matrix.results if self.matrix else ())
            if result.chance is not None and result.ceiling is not None
        ]
        return sum(shares) / len(shares) if shares else None
