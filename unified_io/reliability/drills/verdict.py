"""How a drill says that a promise does not hold, or that it can not be tested here."""

from pathlib import Path

_LONGEST = 600


class DrillFailed(Exception):
    """A promise does not hold; says what was seen."""


class Skip(Exception):
    """The drill can not run here; says why."""


def insist(condition: bool, seen: str) -> None:
    """Raises DrillFailed with what was seen unless the condition holds."""
    if not condition:
        raise DrillFailed(seen)


def tail(log: Path) -> str:
    """Returns the last words of a log on one line, for a message."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    said = " | ".join(line.strip() for line in lines[-6:] if line.strip())
    return said[-_LONGEST:] or "nothing was said"
