"""Tables and amounts for a terminal. Knows strings and numbers only."""

from collections.abc import Iterable, Sequence

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def table(rows: Iterable[Sequence[str]]) -> str:
    """Lays rows out in columns as wide as they need; the last column is as long as it likes."""
    rows = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in rows), strict=True)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    )


def amount(value: float, unit: str) -> str:
    """Says a number with three digits and a decimal prefix: 1.23 GB."""
    power = 0
    while abs(value) >= 999.5 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {_PREFIXES[power]}{unit}"


def duration(seconds: float) -> str:
    """Says a time in the unit that fits: 12 ms, 3.4 s, 5.6 min, 7.8 h, 9 days."""
    for limit, size, unit in (
        (0.9995, 1e-3, "ms"),
        (60, 1, "s"),
        (3600, 60, "min"),
        (48 * 3600, 3600, "h"),
    ):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86400:,.1f} days"
