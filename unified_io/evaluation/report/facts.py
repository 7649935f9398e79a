"""Facts about a run as HTML: times, sizes, lists and mappings in words."""

from collections.abc import Mapping
from typing import Any

from unified_io.evaluation.report.markup import Markup, element
from unified_io.evaluation.report.tables import show


def facts_table(facts: Mapping[str, Any]) -> Markup:
    """Returns the facts as rows of name and value."""
    rows = [
        element("tr", element("th", _spoken(key), scope="row"), element("td", fact(key, value)))
        for key, value in facts.items()
    ]
    return element("table", element("tbody", rows), class_="facts")


def _spoken(key: str) -> str:
    if key.endswith("_seconds"):
        key = f"{key.removesuffix('_seconds')} time"
    return key.removesuffix("_bytes").replace("_", " ").replace("rss", "memory").replace("cpu", "CPU")


def fact(key: str, value: Any) -> str:
    """Returns a fact in words: 572.3 under a name in `_seconds` is "9 min 32 s", bytes are kB, MB or GB."""
    if isinstance(value, Mapping):
        return ", ".join(f"{_spoken(str(name))} {fact(str(name), entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(fact("", entry) for entry in value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and key.endswith("_seconds"):
        minutes, seconds = divmod(round(value), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours} h {minutes} min"
        return f"{minutes} min {seconds} s" if minutes else f"{value:.3g} s"
    if number and key.endswith("_bytes"):
        power = min(3, max(0, (len(str(int(value))) - 1) // 3))
        return f"{value / 1000**power:.3g} {('B', 'kB', 'MB', 'GB')[power]}"
    return show(value) if value is None or isinstance(value, str | bool | int | float) else str(value)
