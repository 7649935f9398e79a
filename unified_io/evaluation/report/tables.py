"""Plain tables as HTML, and single values as a reader sees them."""

from unified_io.evaluation.report.exhibits import Table
from unified_io.evaluation.report.markup import Markup, element, join, paragraphs


def plain_table(table: Table) -> Markup:
    """Returns rows of values; numbers to the right."""
    numeric = [
        all(
            isinstance(row[i], int | float) and not isinstance(row[i], bool)
            for row in table.rows
            if row[i] is not None
        )
        for i in range(len(table.columns))
    ]
    classes = ["number" if right and table.rows else None for right in numeric]
    return element(
        "div",
        element("h4", table.title),
        paragraphs(table.note, class_="note"),
        element(
            "div",
            element(
                "table",
                element("thead", element("tr", _cells("th", table.columns, classes))),
                element("tbody", [element("tr", _cells("td", row, classes)) for row in table.rows]),
            ),
            class_="scroll",
        ),
        class_="block",
    )


def _cells(
    name: str, values: tuple[str | float | int | bool | None, ...], classes: list[str | None]
) -> Markup:
    return join(*(element(name, show(v), class_=c) for v, c in zip(values, classes, strict=True)))


def show(value: str | float | int | bool | None) -> str:
    """Returns a plain value in words: yes and no, thousands parted, four digits of a fraction."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return value
