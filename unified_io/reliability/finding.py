"""What a check found: a name, how bad it is, what it is, and what to do. Knows nothing of what is checked."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from unified_io.reliability.table import table

State = Literal["ok", "warning", "failed"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
      name: Of what was checked.
      state: "ok"; "warning", something is missing or odd but much works; "failed".
      what: What was found.
      remedy: What to do about it; empty where all is well.
    """

    name: str
    state: State
    what: str
    remedy: str = ""


@contextlib.contextmanager
def guarded(name: str, remedy: str, found: list[Finding]) -> Iterator[None]:
    """Turns whatever goes wrong in this context into a failed finding: a check must not end the others."""
    try:
        yield
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        found.append(Finding(name, "failed", said, remedy))


def as_text(findings: Sequence[Finding]) -> str:
    """Returns a table for a terminal, a remedy below what it mends."""
    rows = []
    for finding in findings:
        rows.append((finding.state, finding.name, finding.what))
        if finding.remedy:
            rows.append(("", "", f"-> {finding.remedy}"))
    return table(rows)


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Returns the findings as JSON values, with how many there are of each state."""
    states = [finding.state for finding in findings]
    counts = {state: states.count(state) for state in ("ok", "warning", "failed")}
    return {**counts, "checks": [dataclasses.asdict(finding) for finding in findings]}


def exit_code(findings: Sequence[Finding]) -> int:
    """Returns 1 if a check failed, else 0; warnings are no failure."""
    return int(any(finding.state == "failed" for finding in findings))
